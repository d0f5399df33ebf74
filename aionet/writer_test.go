package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// valve is a connection that takes what it is let to, and remembers it.
type valve struct {
	loop   *asyncio.Loop
	open   int // bytes that it takes
	got    bytes.Buffer
	turn   lowlevel.WaitQueue
	err    error
	closed bool
}

func (v *valve) WaitName() string { return "the valve" }

func (v *valve) Write(p []byte) (done int, err error) {
	for done < len(p) {
		for v.open == 0 && v.err == nil {
			if err := v.turn.WaitOutside(lowlevel.CurrentContext(v.loop), v); err != nil {
				return done, err
			}
		}
		if v.err != nil {
			return done, v.err
		}
		n := min(v.open, len(p)-done)
		v.got.Write(p[done : done+n])
		v.open -= n
		done += n
	}
	return done, nil
}

func (v *valve) let(n int) {
	v.open += n
	v.turn.WakeAll()
}

func (v *valve) fail(err error) {
	v.err = err
	v.turn.WakeAll()
}

func (v *valve) Close() error {
	v.closed = true
	v.fail(net.ErrClosed)
	return nil
}

// valveRun runs main with a Writer to a closed valve, on a virtual clock, on which an hour passes at once when nobody
// has anything to do.
func valveRun(t *testing.T, main func(ctx context.Context, v *valve, w *aionet.Writer) error, opts ...aionet.StreamOption) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		v := &valve{loop: asyncio.RunningLoop(ctx)}
		return main(ctx, v, aionet.NewWriter(ctx, v, opts...))
	}, asyncio.WithVirtualClock())
	if err != nil {
		t.Fatal(err)
	}
}

// turns lets everybody run who can.
func turns(ctx context.Context) {
	for range 10 {
		_ = asyncio.Yield(ctx)
	}
}

// untilNoRoom lets a task write until there is no room anywhere, and it waits. Before that it only yields.
func untilNoRoom(ctx context.Context, writing *asyncio.Task[asyncio.None]) {
	for !writing.Done() && !strings.Contains(writing.String(), "waits for write to") {
		_ = asyncio.Yield(ctx)
	}
}

// conformance: stream-writer-01
// pitfall: 36
func TestWriter_drain_waitsBetweenTheWaterMarks(t *testing.T) {
	valveRun(t, func(ctx context.Context, v *valve, w *aionet.Writer) error {
		write := func(n int) {
			if k, err := w.Write(bytes.Repeat([]byte{'x'}, n)); k != n || err != nil {
				t.Errorf("Write(%d) = %d, %v", n, k, err)
			}
		}
		write(100)
		if err := w.Drain(ctx); err != nil || w.Buffered() != 100 {
			t.Errorf("Drain at the high mark = %v, with %d buffered", err, w.Buffered())
		}
		write(1)
		var drains []*asyncio.Task[asyncio.None]
		for range 3 {
			drains = append(drains, asyncio.Go(ctx, w.Drain))
		}
		done := func() (n int) {
			turns(ctx)
			for _, d := range drains {
				if d.Done() {
					n++
				}
			}
			return n
		}
		if done() != 0 {
			t.Errorf("above the high mark %d of 3 went on", done())
		}
		write(50)
		v.let(100) // 51 are left
		if done() != 0 || w.Buffered() != 151 {
			t.Errorf("above the low mark %d of 3 went on, %d buffered", done(), w.Buffered())
		}
		v.let(1) // the task has written all it was given, but not that it is told of
		v.let(1000)
		if done() != 3 || w.Buffered() != 0 || v.got.Len() != 151 {
			t.Errorf("when all was sent %d of 3 went on, %d buffered, %d sent", done(), w.Buffered(), v.got.Len())
		}
		_, err := asyncio.Gather(ctx, drains[0].Await, drains[1].Await, drains[2].Await)
		return err
	}, aionet.WithWaterMarks(50, 100))
}

// conformance: stream-writer-02
// pitfall: 36
func TestWriter_lostConnection_failsAllThatDrain(t *testing.T) {
	valveRun(t, func(ctx context.Context, v *valve, w *aionet.Writer) error {
		lost := errors.New("lost")
		_, _ = w.Write(make([]byte, 100))
		var drains []*asyncio.Task[asyncio.None]
		for range 3 {
			drains = append(drains, asyncio.Go(ctx, w.Drain))
		}
		turns(ctx)
		v.fail(lost)
		for _, d := range drains {
			if _, err := d.Await(ctx); !errors.Is(err, lost) {
				t.Errorf("Drain = %v", err)
			}
		}
		others := 0
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for ; ; others++ {
				if err := asyncio.Yield(ctx); err != nil {
					return err
				}
			}
		})
		for range 5 { // as a loop would that does not look at errors
			if _, err := w.Write([]byte("x")); !errors.Is(err, lost) {
				t.Errorf("Write = %v", err)
			}
			if err := w.Drain(ctx); !errors.Is(err, lost) {
				t.Errorf("Drain = %v", err)
			}
		}
		if others < 4 {
			t.Errorf("the others had %d turns during 5 calls of Drain", others)
		}
		if other.Cancel(); !w.IsClosing() || w.Buffered() != 0 {
			t.Errorf("IsClosing %v, %d buffered", w.IsClosing(), w.Buffered())
		}
		w.Close()
		if err := w.WaitClosed(ctx); !errors.Is(err, lost) || !v.closed {
			t.Errorf("WaitClosed = %v, closed %v", err, v.closed)
		}
		return nil
	}, aionet.WithWaterMarks(0, 10))
}

// The peer has gone: a loop of Write and Drain ends.
//
// conformance: stream-writer-02
func TestWriter_peerIsGone_endsALoopOfWrites(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			w := aionet.NewWriter(ctx, a)
			b.Close()
			for {
				_, _ = w.Write([]byte("into the void"))
				err := w.Drain(ctx)
				if err == nil {
					continue
				}
				if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && runtime.GOOS != "windows" {
					t.Errorf("Drain = %v", err)
				}
				return w.Close()
			}
		})
	})
}

// conformance: stream-writer-05
// pitfall: 36
func TestWriter_closed_takesNothingMore(t *testing.T) {
	valveRun(t, func(ctx context.Context, v *valve, w *aionet.Writer) error {
		_, _ = w.Write([]byte("first"))
		draining := asyncio.Go(ctx, w.Drain)
		turns(ctx)
		w.Close()
		if n, err := w.Write([]byte("late")); n != 0 || !errors.Is(err, net.ErrClosed) || !w.IsClosing() {
			t.Errorf("Write after Close = %d, %v, IsClosing %v", n, err, w.IsClosing())
		}
		if err := w.WriteEOF(); err == nil {
			t.Error("WriteEOF after Close succeeded")
		}
		v.let(100)
		if _, err := draining.Await(ctx); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a Drain that waited = %v", err)
		}
		if err := w.Drain(ctx); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Drain = %v", err)
		}
		if err := w.WaitClosed(ctx); err != nil || v.got.String() != "first" || !v.closed {
			t.Errorf("WaitClosed = %v, sent %q, closed %v", err, v.got.String(), v.closed)
		}
		return w.Close()
	}, aionet.WithWaterMarks(0, 0))
}

// conformance: stream-writer-03 stream-writer-04 stream-writer-06
func TestWriter_close_sendsWhatWasWrittenAndThenTheEnd(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			r, w := aionet.NewReader(a), aionet.NewWriter(ctx, a)
			data := bytes.Repeat([]byte("0123456789"), 1<<19)
			if n, err := w.Write(data); n != len(data) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			w.Close()
			if !w.IsClosing() {
				t.Error("not closing")
			}
			closed := asyncio.Go(ctx, w.WaitClosed)
			turns(ctx)
			if closed.Done() {
				t.Error("closed before all was sent")
			}
			got, err := io.ReadAll(b)
			if !bytes.Equal(got, data) || err != nil {
				t.Errorf("%d bytes arrived, %v", len(got), err)
			}
			if _, err := closed.Await(ctx); err != nil {
				t.Errorf("WaitClosed = %v", err)
			}
			if _, err := r.ReadLine(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadLine = %v", err)
			}
			return w.WaitClosed(ctx)
		})
	})
}

// conformance: stream-writer-03
func TestWriter_waitClosed_endsThoughThereIsUnreadData(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			r, w := aionet.NewReader(a), aionet.NewWriter(ctx, a)
			if _, err := b.Write([]byte("read\nand unread")); err != nil {
				return err
			}
			line, err := r.ReadLine()
			wantBytes(t, "ReadLine", line, err, "read\n")
			w.Close()
			return w.WaitClosed(ctx)
		})
	})
}

func TestWriter_waitClosed_cancelledCutsAStalledConnectionOff(t *testing.T) {
	valveRun(t, func(ctx context.Context, v *valve, w *aionet.Writer) error {
		_, _ = w.Write([]byte("nobody takes it"))
		err := asyncio.Timeout(ctx, time.Second, w.WaitClosed)
		if !errors.Is(err, context.DeadlineExceeded) || v.closed {
			t.Errorf("before Close: %v, closed %v", err, v.closed)
		}
		w.Close()
		if err := asyncio.Timeout(ctx, time.Second, w.WaitClosed); !errors.Is(err, context.DeadlineExceeded) || !v.closed {
			t.Errorf("after Close: %v, closed %v", err, v.closed)
		}
		if err := w.WaitClosed(ctx); err == nil {
			t.Error("that not all was sent is not said")
		}
		return nil
	})
}

// An error of a cancelled WaitClosed says that the connection was cut off.
func TestWriter_waitClosed_cancelledAsTheLastBytesGo_saysThatAllWasSent(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		defer b.Close()
		w := aionet.NewWriter(ctx, a)
		closed := asyncio.Go(ctx, w.WaitClosed)
		turns(ctx)
		_, _ = w.WriteString("all")
		closed.Cancel(errors.New("cancelled too late"))
		w.Close()
		if _, err := closed.Await(ctx); err != nil {
			t.Errorf("WaitClosed = %v", err)
		}
		return w.WaitClosed(ctx)
	})
}

// Whether the loop sends from a try, a task or at its end: the order stays.
func TestWriter_manyWrites_keepTheirOrder(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			w := aionet.NewWriter(ctx, a)
			var want bytes.Buffer
			reader := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(b) })
			for i := range 2000 {
				p := bytes.Repeat([]byte{byte(i)}, i*i%40_000)
				want.Write(p)
				if i%3 == 0 {
					_, _ = w.Writev(p[:len(p)/2], nil, p[len(p)/2:])
				} else {
					_, _ = w.Write(p)
				}
				if i%7 == 0 {
					if err := w.Drain(ctx); err != nil {
						return err
					}
				}
			}
			w.Close()
			got, err := reader.Await(ctx)
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%d bytes arrived, want %d, or in another order", len(got), want.Len())
			}
			return err
		})
	})
}

// The buffer must not be moved under a write that is under way.
func TestWriter_writesWhileOneIsUnderWay_leaveThatAlone(t *testing.T) {
	valveRun(t, func(ctx context.Context, v *valve, w *aionet.Writer) error {
		var want bytes.Buffer
		write := func(c byte, n int) {
			p := bytes.Repeat([]byte{c}, n)
			for i := range p {
				p[i] += byte(i % 7)
			}
			want.Write(p)
			_, _ = w.Write(p)
		}
		write('a', 40<<10)
		turns(ctx)
		v.let(33 << 10) // the first part, and some of the second, which waits then
		turns(ctx)
		for range 4 {
			write('k', 10<<10)
		}
		v.let(1 << 20)
		w.Close()
		if err := w.WaitClosed(ctx); err != nil {
			return err
		}
		if !bytes.Equal(v.got.Bytes(), want.Bytes()) {
			t.Errorf("%d bytes arrived, want %d, or others", v.got.Len(), want.Len())
		}
		return nil
	})
}

// A goroutine may write; the loop sends.
func TestWriter_onAGoroutine_writesWithoutWaiting(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		w := aionet.NewWriter(ctx, a)
		go func() {
			_, _ = w.WriteString("from elsewhere")
			_, _ = w.Write(make([]byte, 4<<20))
			w.Close()
		}()
		got, err := io.ReadAll(b)
		if len(got) != 4<<20+14 || !strings.HasPrefix(string(got[:20]), "from elsewhere") {
			t.Errorf("%d bytes arrived", len(got))
		}
		return err
	})
}

// What is written in one turn goes out in one piece, without a Drain.
func TestWriter_writesOfOneTurn_goOutTogether(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "unix")
		w := aionet.NewWriter(ctx, a)
		_, _ = w.WriteString("header, ")
		_, _ = w.WriteString("body")
		if b.Readable() {
			t.Error("the first one went out alone")
		}
		buf := make([]byte, 100)
		n, err := b.Read(buf)
		wantBytes(t, "one read", buf[:n], err, "header, body")
		_, _ = w.WriteString("now")
		if err := w.Drain(ctx); err != nil {
			return err
		}
		if !b.Readable() && engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() != "portable" { // whose goroutine may not have looked yet
			t.Error("Drain did not send")
		}
		n, err = b.Read(buf)
		wantBytes(t, "the next read", buf[:n], err, "now")
		return nil
	})
}

func TestWriter_writeEOF_comesAfterTheData(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			r, w := aionet.NewReader(a), aionet.NewWriter(ctx, a)
			data := make([]byte, 4<<20)
			_, _ = w.Write(data)
			if err := w.WriteEOF(); err != nil {
				return err
			}
			if _, err := w.Write([]byte("x")); err == nil || !strings.Contains(err.Error(), "WriteEOF was called") {
				t.Errorf("Write after WriteEOF = %v", err)
			}
			if err := w.WriteEOF(); err == nil {
				t.Error("a second WriteEOF succeeded")
			}
			got, err := io.ReadAll(b)
			if len(got) != len(data) || err != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if _, err := b.Write([]byte("answer\n")); err != nil {
				return err
			}
			line, err := r.ReadLine()
			wantBytes(t, "the answer", line, err, "answer\n")
			return w.Close()
		})
	})
	valveRun(t, func(ctx context.Context, v *valve, w *aionet.Writer) error {
		if err := w.WriteEOF(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("WriteEOF where it cannot be = %v", err)
		}
		return nil
	})
}

func TestWriter_drainUnderADoneContext_yieldsAndKeepsTheData(t *testing.T) {
	valveRun(t, func(ctx context.Context, v *valve, w *aionet.Writer) error {
		_, _ = w.Write([]byte("kept"))
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		if err := w.Drain(done); !errors.Is(err, context.Canceled) {
			t.Errorf("Drain = %v", err)
		}
		waiting := asyncio.Go(ctx, w.Drain)
		turns(ctx)
		waiting.Cancel()
		if _, err := waiting.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled Drain = %v", err)
		}
		v.let(100)
		if err := w.Drain(ctx); err != nil || v.got.String() != "kept" {
			t.Errorf("Drain = %v, sent %q", err, v.got.String())
		}
		return nil
	}, aionet.WithWaterMarks(0, 0))
}

func TestWriter_setWaterMarks_letsGoAndHoldsBack(t *testing.T) {
	valveRun(t, func(ctx context.Context, v *valve, w *aionet.Writer) error {
		_, _ = w.Write(make([]byte, 50))
		if err := w.Drain(ctx); err != nil {
			return err
		}
		w.SetWaterMarks(10, 20)
		waiting := asyncio.Go(ctx, w.Drain)
		if turns(ctx); waiting.Done() {
			t.Error("Drain does not wait for a mark that was lowered")
		}
		w.SetWaterMarks(60, 70)
		if turns(ctx); !waiting.Done() {
			t.Error("Drain still waits for a mark that was raised")
		}
		mustPanicWith(t, "Writer.SetWaterMarks: the marks must be 0 <= low <= high, not -1 and 5", func() { w.SetWaterMarks(-1, 5) })
		mustPanicWith(t, "WithWaterMarks: the marks must be 0 <= low <= high, not 6 and 5", func() { aionet.WithWaterMarks(6, 5) })
		mustPanicWith(t, "NewWriter: nil connection", func() { aionet.NewWriter(ctx, nil) })
		_, err := waiting.Await(ctx)
		return err
	})
}

// conformance: stream-writer-07 stream-writer-08
func TestWriter_droppedWithoutClose_isReportedInDebugMode(t *testing.T) {
	for _, debug := range []bool{true, false} {
		var reports []asyncio.ExceptionInfo
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			a, _ := pipe(t, ctx, "tcp")
			b, _ := pipe(t, ctx, "tcp")
			func() {
				aionet.NewWriter(ctx, a)
				aionet.NewWriter(ctx, b).Close()
			}()
			for range 20 {
				runtime.GC()
				if err := asyncio.Sleep(ctx, time.Millisecond); err != nil || len(reports) > 0 {
					return err
				}
			}
			return nil
		}, asyncio.WithDebug(debug), asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) {
			if !strings.Contains(i.Message, "was never closed") { // which the connections were not
				reports = append(reports, i)
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case !debug && len(reports) > 0:
			t.Errorf("not in debug mode: %+v", reports)
		case debug && (len(reports) != 1 || !strings.Contains(reports[0].Created, "writer_test.go:") ||
			!strings.Contains(reports[0].Message, "a Writer to tcp 127.0.0.1:")):
			t.Errorf("reports: %+v", reports)
		}
	}
}

// What was closed is sent also when the loop ends at once.
func TestWriter_closeThenEndOfLoop_sendsWhatWasWritten(t *testing.T) {
	const size = 8 << 20
	read := make(chan int64, 1)
	run(t, func(ctx context.Context) error {
		ours, theirs := peer(t, ctx, "tcp")
		w := aionet.NewWriter(ctx, ours)
		_, _ = w.Write(make([]byte, size))
		w.Close()
		go func() {
			defer theirs.Close()
			n, _ := io.Copy(io.Discard, theirs)
			read <- n
		}()
		return nil
	})
	if n := <-read; n != size {
		t.Errorf("%d bytes arrived, want %d", n, size)
	}
}

func TestWriter_string_showsItsState(t *testing.T) {
	valveRun(t, func(ctx context.Context, v *valve, w *aionet.Writer) error {
		_, _ = w.Write(make([]byte, 20))
		for _, want := range []string{"Writer(a stream, 20 bytes, full)", "Writer(a stream, 20 bytes, closing)"} {
			if got := w.String(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			w.Close()
		}
		v.let(100)
		if err := w.WaitClosed(ctx); err != nil || w.String() != "Writer(a stream, 0 bytes, closed)" {
			t.Errorf("%s, %v", w, err)
		}
		return nil
	}, aionet.WithWaterMarks(5, 10))
}

func TestWriter_writeAndDrain_allocateNextToNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "unix")
		w := aionet.NewWriter(ctx, a)
		message, buf := make([]byte, 64), make([]byte, 100)
		got := testing.AllocsPerRun(500, func() {
			if _, err := w.Write(message); err != nil {
				t.Fatal(err)
			}
			if err := w.Drain(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Read(buf); err != nil {
				t.Fatal(err)
			}
		})
		if got > 1 && engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() != "portable" {
			t.Errorf("%v allocations, want the turn's callback at most", got)
		}
		return nil
	})
}

// What was cut off has not ended, and the peer can tell.
func TestWriter_overTLS_thatIsCutOff_saysNoGoodbye(t *testing.T) {
	for name, wrap := range belowTLS {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				a, b := pipe(t, ctx, "tcp")
				c, s := startBoth(t, ctx, wrap(a), b, clientConfig(), serverConfig())
				w := aionet.NewWriter(ctx, c)
				w.Write(make([]byte, 16<<20))
				w.Close()
				if err := asyncio.Timeout(ctx, 0, w.WaitClosed); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("WaitClosed = %v", err)
				}
				turns(ctx)
				if tasks := asyncio.AllTasks(asyncio.RunningLoop(ctx)); len(tasks) != 1 {
					t.Errorf("tasks are left: %v", tasks)
				}
				if n, err := io.Copy(io.Discard, s); n >= 16<<20 || !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("the peer got %d bytes, and %v", n, err)
				}
				return nil
			})
		})
	}
}
