package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// conformance: sock-02
func TestRead_cancelledWhileWaiting_takesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			buf := make([]byte, 10)
			err := asyncio.Timeout(ctx, 5*time.Millisecond, func(context.Context) error {
				_, err := b.Read(buf)
				return err
			})
			var timeout net.Error
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("cancelled Read = %v, want a timeout", err)
			}
			if _, err := a.Write([]byte("kept")); err != nil {
				return err
			}
			n, err := b.Read(buf)
			if string(buf[:n]) != "kept" {
				t.Errorf("the next Read got %q, %v", buf[:n], err)
			}
			return nil
		})
	})
}

// conformance: loop-30
func TestRead_taskCancelled_endsInTheNextTurn(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			_, b := pipe(t, ctx, network)
			reader := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return b.Read(make([]byte, 10)) })
			if err := asyncio.Yield(ctx); err != nil {
				return err
			}
			reader.Cancel()
			if err := asyncio.Yield(ctx); err != nil {
				return err
			}
			if !reader.Done() || !reader.Cancelled() {
				t.Errorf("one turn after Cancel: done %v, %v", reader.Done(), reader.Err())
			}
			return nil
		})
	})
}

func TestRead_underACancelledContext_takesNothingThoughThereIsData(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		if _, err := a.Write([]byte("x")); err != nil {
			return err
		}
		cause := errors.New("enough")
		done, cancel := asyncio.WithCancel(ctx)
		cancel(cause)
		buf := make([]byte, 1)
		err := asyncio.Enter(done, func() error {
			_, err := b.Read(buf)
			return err
		})
		if !errors.Is(err, cause) {
			t.Errorf("Read = %v, want the cause", err)
		}
		if n, err := b.Read(buf); n != 1 {
			t.Errorf("the next Read got %d bytes, %v", n, err)
		}
		return nil
	})
}

// The bytes that a cancelled Write reports must be all that the peer gets, and the stream must be usable.
//
// conformance: sock-02
func TestWrite_cancelledWhileWaiting_reportsExactlyWhatWasTaken(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			data := bytes.Repeat([]byte("0123456789"), 1<<20)
			var n int
			err := asyncio.Timeout(ctx, 20*time.Millisecond, func(context.Context) (err error) {
				n, err = a.Write(data)
				return err
			})
			if !errors.Is(err, context.DeadlineExceeded) || n == 0 || n == len(data) {
				t.Errorf("Write = %d, %v", n, err)
			}
			reader := asyncio.CreateTask(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(b) })
			if _, err := a.Write([]byte("the end")); err != nil {
				return err
			}
			a.Close()
			got, err := reader.Await(ctx)
			if want := append(data[:n:n], "the end"...); !bytes.Equal(got, want) {
				t.Errorf("%d bytes arrived, want the %d that Write reported and the 7 after them", len(got), n)
			}
			return err
		})
	})
}

func TestWrite_severalTasks_eachStaysInOnePiece(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		const size = 1 << 20
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range 4 {
				g.Go(func(context.Context) error {
					_, err := a.Write(bytes.Repeat([]byte{byte('a' + i)}, size))
					return err
				})
			}
			foreign := make(chan error, 1)
			go func() {
				_, err := a.Write(bytes.Repeat([]byte{'z'}, size))
				foreign <- err
			}()
			buf := make([]byte, size)
			for range 5 {
				if _, err := io.ReadFull(b, buf); err != nil {
					return err
				}
				if !bytes.Equal(buf, bytes.Repeat(buf[:1], size)) {
					t.Error("two writes were mixed")
				}
			}
			_, err := asyncio.ToThread(ctx, func() (error, error) { return <-foreign, nil })
			return err
		})
	})
}

func TestWrite_cancelledInLine_leavesTheOthersTheirTurn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		data := make([]byte, 8<<20)
		first := asyncio.Go(ctx, func(context.Context) error { _, err := a.Write(data); return err })
		second := asyncio.Go(ctx, func(context.Context) error { _, err := a.Write([]byte("never")); return err })
		third := asyncio.Go(ctx, func(context.Context) error { _, err := a.Write([]byte("third")); return err })
		for range 3 { // so that all three have begun
			if err := asyncio.Yield(ctx); err != nil {
				return err
			}
		}
		second.Cancel()
		if _, err := second.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled one: %v", err)
		}
		got := make([]byte, len(data)+len("third"))
		if _, err := io.ReadFull(b, got); err != nil {
			return err
		}
		if string(got[len(data):]) != "third" {
			t.Errorf("after the first write came %q", got[len(data):])
		}
		_, err := asyncio.Gather(ctx, first.Await, third.Await)
		return err
	}, fifo)
}

func TestDeadline_endsReadsAndWritesAndCanBeMovedOn(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			l := asyncio.RunningLoop(ctx)
			buf := make([]byte, 1)
			b.SetReadDeadline(l.Now().Add(3 * time.Millisecond))
			for range 2 { // it stays passed
				_, err := b.Read(buf)
				var timeout net.Error
				if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("Read after the deadline = %v", err)
				}
			}
			b.SetReadDeadline(time.Time{})
			if _, err := a.Write([]byte("x")); err != nil {
				return err
			}
			if _, err := b.Read(buf); err != nil {
				t.Errorf("Read without a deadline = %v", err)
			}
			a.SetWriteDeadline(l.Now().Add(3 * time.Millisecond))
			if n, err := a.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || n == 64<<20 {
				t.Errorf("Write after the deadline = %d, %v", n, err)
			}
			return nil
		})
	})
}

func TestDeadline_isOnTheLoopsClock(t *testing.T) {
	begin := time.Now()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		a, _ := pipe(t, ctx, "tcp")
		a.SetReadDeadline(asyncio.RunningLoop(ctx).Now().Add(time.Hour))
		_, err := a.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v", err)
		}
		return nil
	}, asyncio.WithVirtualClock())
	if err != nil || time.Since(begin) > 30*time.Second {
		t.Fatalf("%v, after %v of real time", err, time.Since(begin))
	}
}

// A goroutine sets a deadline for a coroutine, and the other way round.
func TestDeadline_holdsInBothWorlds(t *testing.T) {
	l := background(t)
	client, server := twoEnds(t, "tcp", l, l)
	defer client.Close()
	defer server.Close()
	reading := asyncio.RunThreadsafe(l, func(context.Context) (int, error) { return client.Read(make([]byte, 1)) })
	client.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	if _, err := reading.Wait(context.Background()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the coroutine's Read = %v", err)
	}
	_, _ = on(l, func(ctx context.Context) (asyncio.None, error) {
		return asyncio.None{}, client.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	})
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the goroutine's Read = %v", err)
	}
}

func TestClose_endsReadsWritesOfBothWorlds(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		for _, closer := range []string{"coroutine", "goroutine"} {
			l := background(t)
			client, server := twoEnds(t, network, l, l)
			defer server.Close()
			read := asyncio.RunThreadsafe(l, func(context.Context) (int, error) { return client.Read(make([]byte, 1)) })
			write := asyncio.RunThreadsafe(l, func(context.Context) (int, error) { return client.Write(make([]byte, 64<<20)) })
			foreign := make(chan error, 1)
			go func() {
				_, err := client.Read(make([]byte, 1))
				foreign <- err
			}()
			if closer == "goroutine" {
				client.Close()
			} else {
				_, _ = on(l, func(context.Context) (asyncio.None, error) { return asyncio.None{}, client.Close() })
			}
			if _, err := read.Wait(context.Background()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed by a %s: the coroutine's Read = %v", closer, err)
			}
			if _, err := write.Wait(context.Background()); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed by a %s: the coroutine's Write = %v", closer, err)
			}
			if err := <-foreign; !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed by a %s: the goroutine's Read = %v", closer, err)
			}
			if err := client.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closing again = %v", err)
			}
		}
	})
}

func TestCloseWrite_peerSeesTheEndAndCanStillAnswer(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			if _, err := a.Write([]byte("question")); err != nil {
				return err
			}
			if err := a.CloseWrite(); err != nil {
				return err
			}
			got, err := io.ReadAll(b)
			if string(got) != "question" || err != nil {
				t.Errorf("server read %q, %v", got, err)
			}
			if _, err := b.Write([]byte("answer")); err != nil {
				return err
			}
			b.Close()
			got, err = io.ReadAll(a)
			if string(got) != "answer" || err != nil {
				t.Errorf("client read %q, %v", got, err)
			}
			return nil
		})
	})
}

func TestRead_peerVanishes_isConnectionReset(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ours, theirs := peer(t, ctx, "tcp")
		reading := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return ours.Read(make([]byte, 1)) })
		theirs.(*net.TCPConn).SetLinger(0)
		theirs.Close()
		_, err := reading.Await(ctx)
		if !errors.Is(err, syscall.ECONNRESET) && runtime.GOOS != "windows" {
			t.Errorf("Read = %v", err)
		}
		var op *net.OpError
		if !errors.As(err, &op) || !strings.Contains(err.Error(), ours.RemoteAddr().String()) {
			t.Errorf("%v does not say who", err)
		}
		return nil
	})
}

// A library may hold up the loop until its own goroutine has read from our connection.
func TestRead_onAGoroutineWhileTheLoopIsBlocked_needsNothingFromTheLoop(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			ours, theirs := peer(t, ctx, network)
			defer theirs.Close()
			got := make(chan string)
			go func() {
				buf := make([]byte, 10)
				n, err := ours.Read(buf)
				if err != nil {
					t.Error(err)
				}
				if _, err := ours.Write([]byte("pong")); err != nil {
					t.Error(err)
				}
				got <- string(buf[:n])
			}()
			go theirs.Write([]byte("ping"))
			if s := <-got; s != "ping" { // blocks the loop
				t.Errorf("read %q", s)
			}
			return nil
		})
	})
}

func TestRead_inACallback_failsInsteadOfBlocking(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, _ := pipe(t, ctx, "tcp")
		l := asyncio.RunningLoop(ctx)
		f := asyncio.NewFuture[error](l)
		l.CallSoon(func() {
			_, err := a.Read(make([]byte, 1))
			f.SetResult(err)
		})
		err, _ := f.Await(ctx)
		if !errors.Is(err, aionet.ErrWouldWait) {
			t.Errorf("Read = %v", err)
		}
		return nil
	})
}

func TestRead_busyConnection_letsOthersRun(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := pipe(t, ctx, "tcp")
		if _, err := a.Write(make([]byte, 1000)); err != nil {
			return err
		}
		ran := false
		asyncio.RunningLoop(ctx).CallSoon(func() { ran = true })
		buf := make([]byte, 1)
		for i := range 1000 {
			if _, err := b.Read(buf); err != nil {
				return err
			}
			if ran {
				if i > 500 {
					t.Errorf("it took %d reads until another had a turn", i)
				}
				return nil
			}
		}
		t.Error("1,000 reads, and nobody else had a turn")
		return nil
	})
}

func TestOnReadable_isToldOnceOfDataAndOfTheEnd(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			a, b := pipe(t, ctx, network)
			var told asyncio.Event
			times := 0
			tell := func() { times++; told.Set() }
			if b.Readable() {
				t.Error("a fresh connection is readable")
			}
			if err := b.OnReadable(tell); err != nil {
				return err
			}
			if _, err := a.Write([]byte("hello")); err != nil {
				return err
			}
			if err := told.Wait(ctx); err != nil {
				return err
			}
			buf := make([]byte, 5)
			if _, err := io.ReadFull(b, buf); err != nil {
				return err
			}
			if b.Readable() {
				t.Error("an emptied connection is readable")
			}
			told.Clear()
			if err := b.OnReadable(tell); err != nil {
				return err
			}
			a.Close()
			if err := told.Wait(ctx); err != nil {
				return err
			}
			if !b.Readable() || times != 2 {
				t.Errorf("after the end: readable %v, told %d times", b.Readable(), times)
			}
			return nil
		})
	})
}

// The whole path: try, park, poller, wake, try again.
func TestReadWrite_allocateNothing(t *testing.T) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "portable" {
				t.Skip("the portable poller starts goroutines")
			}
			a, b := pipe(t, ctx, network)
			echo := asyncio.Go(ctx, func(context.Context) error {
				buf := make([]byte, 100)
				for {
					n, err := b.Read(buf)
					if err != nil {
						return nil
					}
					if _, err := b.Write(buf[:n]); err != nil {
						return err
					}
				}
			})
			message, buf := make([]byte, 64), make([]byte, 100)
			got := testing.AllocsPerRun(500, func() {
				if _, err := a.Write(message); err != nil {
					t.Fatal(err)
				}
				if _, err := a.Read(buf); err != nil {
					t.Fatal(err)
				}
			})
			if got != 0 {
				t.Errorf("%v allocations a round trip", got)
			}
			a.Close()
			_, err := echo.Await(ctx)
			return err
		})
	})
}

func TestSetDeadline_again_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, _ := pipe(t, ctx, "tcp")
		at := asyncio.RunningLoop(ctx).Now().Add(time.Hour)
		a.SetDeadline(at)
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "portable" {
			t.Skip("the portable poller arms timers of Go's")
		}
		if got := testing.AllocsPerRun(500, func() {
			at = at.Add(time.Second)
			a.SetDeadline(at)
		}); got != 0 {
			t.Errorf("%v allocations", got)
		}
		return nil
	})
}

func TestConn_leftOpen_isClosedWithTheLoop(t *testing.T) {
	var left *aionet.Conn
	run(t, func(ctx context.Context) error {
		left, _ = pipe(t, ctx, "tcp")
		return nil
	})
	if _, err := left.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after the loop's end = %v", err)
	}
	if err := left.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close after the loop's end = %v", err)
	}
}

func TestSyscallConn_controlReachesTheSocket(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, _ := pipe(t, ctx, "tcp")
		rc, err := a.SyscallConn()
		if err != nil {
			return err
		}
		called := false
		if err := rc.Control(func(fd uintptr) { called = fd > 0 }); err != nil || !called {
			t.Errorf("Control = %v, called %v", err, called)
		}
		return a.SetNoDelay(false)
	})
}
