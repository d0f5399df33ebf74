package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// recorder is a protocol that writes down what it is told, and lets tests do something then.
type recorder struct {
	t        aionet.Transport
	log      []string
	data     []byte
	err      error
	keepOpen bool
	changed  lowlevel.WaitQueue

	onMade, onData, onEOF, onPause, onResume, onLost func()
}

func (r *recorder) note(what string, fn func()) {
	if len(r.log) == 0 || what != "data" || r.log[len(r.log)-1] != "data" {
		r.log = append(r.log, what)
	}
	r.changed.WakeAll()
	if fn != nil {
		fn()
	}
}

func (r *recorder) ConnectionMade(t aionet.Transport) {
	r.t = t
	r.note("made", r.onMade)
}

func (r *recorder) DataReceived(p []byte) {
	r.data = append(r.data, p...)
	r.note("data", r.onData)
}

func (r *recorder) EOFReceived() bool {
	r.note("eof", r.onEOF)
	return r.keepOpen
}

func (r *recorder) ConnectionLost(err error) {
	r.err = err
	r.note("lost", r.onLost)
}

func (r *recorder) PauseWriting()  { r.note("pause", r.onPause) }
func (r *recorder) ResumeWriting() { r.note("resume", r.onResume) }

func (r *recorder) has(what string) bool { return slices.Contains(r.log, what) }

func (r *recorder) String() string { return strings.Join(r.log, " ") }

// until waits until cond, which what is told may bring about, is true.
func (r *recorder) until(ctx context.Context, cond func() bool) error {
	for !cond() {
		if err := r.changed.WaitOutside(ctx, never2{}); err != nil {
			return fmt.Errorf("%w, after: %v", err, r)
		}
	}
	return nil
}

func (r *recorder) wait(ctx context.Context, what string) error {
	return r.until(ctx, func() bool { return r.has(what) })
}

func (r *recorder) want(t *testing.T, log string) {
	t.Helper()
	if r.String() != log {
		t.Errorf("the protocol was told %q, want %q (error: %v)", r, log, r.err)
	}
}

// attach connects p to a Conn, its peer.
func attach(t testing.TB, ctx context.Context, network string, p aionet.Protocol) (aionet.Transport, *aionet.Conn) {
	t.Helper()
	ours, peer := pipe(t, ctx, network)
	tr, err := aionet.NewTransport(ctx, ours, p)
	if err != nil {
		t.Fatal(err)
	}
	return tr, peer
}

// jam writes until more than the high-water mark waits, and returns what.
func jam(t testing.TB, tr aionet.Transport) (written []byte) {
	t.Helper()
	p := make([]byte, 1<<20)
	_, high := tr.WriteBufferLimits()
	for tr.WriteBufferSize() <= high {
		for i := range p {
			p[i] = byte(len(written)>>20 + i>>3)
		}
		if _, err := tr.Write(p); err != nil {
			t.Fatal(err)
		}
		written = append(written, p...)
	}
	return written
}

func readN(c net.Conn, n int) ([]byte, error) {
	p := make([]byte, n)
	n, err := io.ReadFull(c, p)
	return p[:n], err
}

// reports collects what the loop's exception handler is told.
func reports(ctx context.Context) *[]string {
	var got []string
	asyncio.RunningLoop(ctx).SetExceptionHandler(func(i asyncio.ExceptionInfo) {
		got = append(got, i.Message+": "+fmt.Sprint(i.Err))
	})
	return &got
}

func onEachTransport(t *testing.T, test func(t *testing.T, ctx context.Context, network string)) {
	onEach(t, func(t *testing.T, network string) {
		run(t, func(ctx context.Context) error {
			test(t, ctx, network)
			return nil
		})
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// conformance: net-connect-20 net-server-08 net-server-11 transport-09 transport-12 transport-13 transport-33
// pitfall: 37
func TestServeProtocol_andDialProtocol_callInOrder(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		ln, err := aionet.Listen(ctx, network, address(t, network))
		must(t, err)
		server := &recorder{}
		server.onData = func() { server.t.Write(server.data) }
		serving := asyncio.Go(ctx, func(ctx context.Context) error {
			return aionet.ServeProtocol(ctx, ln, func() aionet.Protocol { return server })
		})
		client := &recorder{}
		tr, err := aionet.DialProtocol(ctx, network, ln.Addr().String(), client)
		must(t, err)
		if client.String() != "made" || client.t != tr {
			t.Errorf("DialProtocol returned when the protocol had been told %q", client)
		}
		if tr.RemoteAddr().String() != ln.Addr().String() || tr.LocalAddr() == nil || tr.ConnectionState() != nil {
			t.Errorf("%v", tr)
		}
		tr.Write([]byte("hello"))
		must(t, client.wait(ctx, "data"))
		if network == "tcp" && server.t.RemoteAddr().String() != tr.LocalAddr().String() {
			t.Errorf("the server sees %v, want %v", server.t.RemoteAddr(), tr.LocalAddr())
		}
		tr.Close()
		must(t, client.wait(ctx, "lost"))
		must(t, server.wait(ctx, "lost"))
		client.want(t, "made data lost")
		server.want(t, "made data eof lost")
		if string(client.data) != "hello" || client.err != nil || server.err != nil {
			t.Errorf("%q, %v, %v", client.data, client.err, server.err)
		}
		ln.Close()
		_, err = serving.Await(ctx)
		must(t, err)
	})
}

// conformance: transport-03 transport-07 transport-08
func TestTransport_Close_isToldOnceAndNeverFromInside(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		r.onData = func() {
			tr.Close()
			if r.has("lost") || !tr.IsClosing() || tr.IsReading() {
				t.Errorf("after Close: told %q, closing %v, reading %v", r, tr.IsClosing(), tr.IsReading())
			}
			tr.Close()
			tr.ResumeReading()
			tr.Abort()
			if r.has("lost") || tr.IsReading() {
				t.Errorf("after Abort: told %q, reading %v", r, tr.IsReading())
			}
		}
		peer.Write([]byte("x"))
		must(t, r.wait(ctx, "lost"))
		for range 3 {
			tr.Close()
			tr.Abort()
			must(t, asyncio.Yield(ctx))
		}
		r.want(t, "made data lost")
		if tr.Protocol() != nil {
			t.Error("the transport still refers to its protocol")
		}
		if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer reads %d, %v", n, err)
		}
	})
}

// conformance: transport-04 transport-17 transport-24
// pitfall: 37
func TestTransport_Close_sendsWhatWasWritten(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		written := jam(t, tr)
		tr.Close()
		for range 3 {
			must(t, asyncio.Yield(ctx))
		}
		if r.has("lost") {
			t.Errorf("the connection was lost with %d bytes to send", tr.WriteBufferSize())
		}
		got, err := io.ReadAll(peer)
		if err != nil || !bytes.Equal(got, written) {
			t.Errorf("the peer got %d bytes of %d, %v", len(got), len(written), err)
		}
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made pause resume lost")
		if r.err != nil {
			t.Error(r.err)
		}
	})
}

// conformance: transport-02 transport-05
// pitfall: 37
func TestTransport_Abort_dropsWhatWasWritten(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		written := jam(t, tr)
		tr.Close()
		tr.Abort()
		if tr.WriteBufferSize() != 0 || tr.IsReading() || r.has("lost") {
			t.Errorf("after Abort: %d to send, told %q", tr.WriteBufferSize(), r)
		}
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made pause lost")
		if r.err != nil {
			t.Error(r.err)
		}
		if got, _ := io.ReadAll(peer); len(got) >= len(written) || !bytes.HasPrefix(written, got) {
			t.Errorf("the peer got %d bytes of %d", len(got), len(written))
		}
	})
}

// conformance: transport-06 transport-15 transport-31
func TestTransport_reset_isToldQuietly(t *testing.T) {
	for _, buffered := range []bool{false, true} {
		run(t, func(ctx context.Context) error {
			reported := reports(ctx)
			r := &recorder{}
			var p aionet.Protocol = r
			if buffered {
				p = &bufferedRecorder{recorder: r, buf: make([]byte, 10)}
			}
			ours, theirs := peer(t, ctx, "tcp")
			_, err := aionet.NewTransport(ctx, ours, p)
			must(t, err)
			theirs.(*net.TCPConn).SetLinger(0)
			theirs.Close()
			must(t, r.wait(ctx, "lost"))
			r.want(t, "made lost")
			if !errors.Is(r.err, syscall.ECONNRESET) || len(*reported) != 0 {
				t.Errorf("told %v, reported %q", r.err, *reported)
			}
			return nil
		})
	}
}

// conformance: transport-10
func TestTransport_pauseReading_holdsBackUntilResume(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		r.onMade = func() {
			r.t.PauseReading()
			r.t.PauseReading()
			if r.t.IsReading() {
				t.Error("reading after PauseReading")
			}
		}
		tr, peer := attach(t, ctx, network, r)
		peer.Write([]byte("one"))
		other := &recorder{} // shows that the loop has looked at the network
		_, otherPeer := attach(t, ctx, network, other)
		otherPeer.Write([]byte("x"))
		must(t, other.wait(ctx, "data"))
		r.want(t, "made")
		r.onData = func() { r.t.PauseReading() }
		tr.ResumeReading()
		tr.ResumeReading()
		if !tr.IsReading() {
			t.Error("not reading after ResumeReading")
		}
		must(t, r.wait(ctx, "data"))
		peer.Write([]byte("two"))
		otherPeer.Write([]byte("x"))
		must(t, other.until(ctx, func() bool { return len(other.data) == 2 }))
		if string(r.data) != "one" {
			t.Errorf("got %q while paused in DataReceived", r.data)
		}
		tr.ResumeReading()
		must(t, r.until(ctx, func() bool { return string(r.data) == "onetwo" }))
	})
}

// conformance: transport-11
func TestTransport_panicInACallback_isReportedAndFatal(t *testing.T) {
	boom := func() { panic("boom") }
	for name, set := range map[string]func(*recorder){
		"made lost":       func(r *recorder) { r.onMade = boom },
		"made data lost":  func(r *recorder) { r.onData = boom },
		"made eof lost":   func(r *recorder) { r.onEOF = boom },
		"made pause lost": func(r *recorder) { r.onPause = boom },
		"made pause resume lost": func(r *recorder) {
			r.onResume = boom
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				reported := reports(ctx)
				r := &recorder{}
				set(r)
				ours, peer := pipe(t, ctx, "tcp")
				tr, err := aionet.NewTransport(ctx, ours, r)
				switch name {
				case "made lost":
					if err == nil {
						t.Error("NewTransport says nothing of the panic")
					}
				case "made data lost":
					peer.Write([]byte("x"))
				case "made eof lost":
					peer.CloseWrite()
				case "made pause lost":
					for err == nil {
						_, err = tr.Write(make([]byte, 1<<20))
					}
				default:
					jam(t, tr)
					go io.Copy(io.Discard, peer)
				}
				must(t, r.wait(ctx, "lost"))
				r.want(t, name)
				var p *asyncio.PanicError
				if !errors.As(r.err, &p) || len(*reported) != 1 || !strings.Contains((*reported)[0], "boom") {
					t.Errorf("told %v, reported %q", r.err, *reported)
				}
				if _, err := io.Copy(io.Discard, peer); err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the peer: %v", err)
				}
				return nil
			})
		})
	}
}

func TestTransport_panicInConnectionLost_isReported(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		r := &recorder{onLost: func() { panic("boom") }}
		tr, peer := attach(t, ctx, "tcp", r)
		tr.Close()
		if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the socket is still open: %d, %v", n, err)
		}
		if r.want(t, "made lost"); len(*reported) != 1 {
			t.Errorf("reported %q", *reported)
		}
		return nil
	})
}

// conformance: transport-13 transport-25
// pitfall: 37
func TestTransport_halfOpen_writesAfterThePeersEnd(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{keepOpen: true}
		tr, peer := attach(t, ctx, network, r)
		peer.CloseWrite()
		must(t, r.wait(ctx, "eof"))
		written := jam(t, tr)
		must(t, tr.WriteEOF())
		must(t, tr.WriteEOF())
		if _, err := tr.Write([]byte("x")); err == nil {
			t.Error("a write after WriteEOF was taken")
		}
		got, err := io.ReadAll(peer)
		if err != nil || !bytes.Equal(got, written) {
			t.Errorf("the peer got %d bytes of %d, %v", len(got), len(written), err)
		}
		r.want(t, "made eof pause resume")
		tr.Close()
		must(t, tr.WriteEOF())
		must(t, r.wait(ctx, "lost"))
	})
}

// conformance: transport-16
func TestTransport_Write_leavesTheSliceToItsOwner(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		written := jam(t, tr)
		p := []byte("last words")
		if n, err := tr.Write(p); n != len(p) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		copy(p, "XXXXXXXXXX")
		tr.Write(nil)
		got, err := readN(peer, len(written)+len(p))
		if err != nil || !bytes.Equal(got[:len(written)], written) || string(got[len(written):]) != "last words" {
			t.Errorf("%q, %v", got[max(0, len(got)-10):], err)
		}
		tr.Close()
	})
}

// conformance: transport-19 transport-34
// pitfall: 36
func TestTransport_Writev_isOneWrite(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		if n, err := tr.Writev([]byte("one "), nil, []byte("two "), []byte("three")); n != 13 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if got, err := readN(peer, 13); string(got) != "one two three" {
			t.Errorf("%q, %v", got, err)
		}
		big := bytes.Repeat([]byte("0123456789"), 1<<20)
		n, err := tr.Writev(big, big, []byte("end"))
		if n != 2*len(big)+3 || err != nil || !r.has("pause") {
			t.Errorf("%d, %v, told %q", n, err, r)
		}
		got, err := readN(peer, n)
		if err != nil || !bytes.Equal(got[:len(big)], big) || string(got[n-3:]) != "end" {
			t.Errorf("%v", err)
		}
		must(t, r.wait(ctx, "resume"))
		r.want(t, "made pause resume")
		tr.Close()
	})
}

// conformance: transport-20
func TestTransport_writeError_isFatal(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		reported := reports(ctx)
		r := &recorder{}
		r.onMade = func() { r.t.PauseReading() } // only a write can find out
		tr, peer := attach(t, ctx, network, r)
		peer.Close()
		for !tr.IsClosing() {
			if _, err := tr.Write([]byte("x")); err != nil && !tr.IsClosing() {
				t.Errorf("%v did not end the transport", err)
			}
			must(t, asyncio.Yield(ctx))
		}
		if len(*reported) != 0 {
			t.Errorf("reported %q", *reported)
		}
		for range 10 {
			if n, err := tr.Write([]byte("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("%d, %v", n, err)
			}
		}
		if len(*reported) != 1 || !strings.Contains((*reported)[0], "5 writes") {
			t.Errorf("reported %q", *reported)
		}
		must(t, r.wait(ctx, "lost"))
		if r.err == nil {
			t.Error("ConnectionLost got no error")
		}
	})
}

// conformance: transport-22
func TestTransport_writesAfterClose_areDropped(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		reported := reports(ctx)
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		tr.Write([]byte("before"))
		tr.Close()
		for range 4 {
			if n, err := tr.Write([]byte("after")); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("%d, %v", n, err)
			}
		}
		if got, err := io.ReadAll(peer); string(got) != "before" {
			t.Errorf("%q, %v", got, err)
		}
		if len(*reported) != 0 {
			t.Errorf("reported %q", *reported)
		}
		if _, err := tr.Writev([]byte("after"), []byte("the end")); !errors.Is(err, net.ErrClosed) || len(*reported) != 1 {
			t.Errorf("%v, reported %q", err, *reported)
		}
	})
}

// conformance: transport-27
// pitfall: 37
func TestTransport_whatIsWrittenOnResumeWhileClosing_isSent(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		more := bytes.Repeat([]byte("more"), 1<<20)
		r.onResume = func() {
			r.onResume = nil
			if n, err := r.t.Writev([]byte("in "), []byte("parts")); n != 8 || err != nil {
				t.Errorf("Writev = %d, %v", n, err)
			}
			if _, err := r.t.Write(more); err != nil {
				t.Error(err)
			}
		}
		tr, peer := attach(t, ctx, network, r)
		written := jam(t, tr)
		tr.SetWriteBufferLimits(0, 0) // so that it resumes with nothing left, and might close in between
		tr.Close()
		got, err := io.ReadAll(peer)
		if want := slices.Concat(written, []byte("in parts"), more); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the peer got %d bytes of %d, %v", len(got), len(want), err)
		}
		must(t, r.wait(ctx, "lost"))
		if last := r.log[len(r.log)-1]; last != "lost" {
			t.Errorf("told %q", r)
		}
	})
}

// conformance: transport-36
// pitfall: 36
func TestTransport_waterMarks(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		tr, peer := attach(t, ctx, network, r)
		if low, high := tr.WriteBufferLimits(); low != 16<<10 || high != 64<<10 {
			t.Errorf("%d, %d", low, high)
		}
		if tr.SetWriteBufferLimits(2, 1) == nil || tr.SetWriteBufferLimits(-1, 1) == nil {
			t.Error("marks that do not fit were taken")
		}
		must(t, tr.SetWriteBufferLimits(1<<20, 1<<30))
		for tr.WriteBufferSize() == 0 {
			tr.Write(make([]byte, 1<<20))
		}
		r.want(t, "made")
		must(t, tr.SetWriteBufferLimits(0, 0))
		r.want(t, "made pause")
		tr.Write([]byte("x"))
		r.onResume = func() {
			if n := tr.WriteBufferSize(); n != 0 {
				t.Errorf("resumed with %d bytes to send", n)
			}
		}
		go io.Copy(io.Discard, peer)
		must(t, r.wait(ctx, "resume"))
		r.want(t, "made pause resume")
		tr.Close()
	})
}

// bufferedRecorder receives into a buffer of its own.
type bufferedRecorder struct {
	*recorder
	buf []byte
	get func()
}

func (b *bufferedRecorder) GetBuffer(int) []byte {
	if b.get != nil {
		b.get()
	}
	return b.buf
}
func (b *bufferedRecorder) BufferUpdated(n int) { b.recorder.DataReceived(b.buf[:n]) }
func (b *bufferedRecorder) DataReceived([]byte) { panic("DataReceived of a BufferedProtocol") }

// conformance: protocol-01 transport-28
func TestBufferedProtocol_receivesAllInItsBuffer(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		r := &recorder{}
		tr, peer := attach(t, ctx, network, &bufferedRecorder{recorder: r, buf: make([]byte, 7)})
		want := bytes.Repeat([]byte("0123456789"), 1000)
		peer.Write(want)
		must(t, r.until(ctx, func() bool { return len(r.data) == len(want) }))
		if !bytes.Equal(r.data, want) {
			t.Error("it is not what was sent")
		}
		plain := &recorder{}
		tr.SetProtocol(plain)
		peer.Write([]byte("plain"))
		must(t, plain.wait(ctx, "data"))
		if tr.Protocol() != aionet.Protocol(plain) {
			t.Error(tr.Protocol())
		}
		tr.SetProtocol(&bufferedRecorder{recorder: r, buf: make([]byte, 7)})
		peer.Write([]byte("again"))
		peer.Close()
		must(t, r.wait(ctx, "lost"))
		plain.want(t, "data")
		r.want(t, "made data eof lost")
		if !bytes.HasSuffix(r.data, []byte("again")) {
			t.Errorf("%q", r.data[len(want):])
		}
	})
}

// conformance: transport-29
func TestBufferedProtocol_thatFails_losesTheConnection(t *testing.T) {
	for name, p := range map[string]*bufferedRecorder{
		"an empty buffer":       {recorder: &recorder{}},
		"a panic in GetBuffer":  {recorder: &recorder{}, get: func() { panic("boom") }},
		"one in BufferUpdated":  {recorder: &recorder{onData: func() { panic("boom") }}, buf: make([]byte, 1)},
		"one in EOFReceived":    {recorder: &recorder{onEOF: func() { panic("boom") }}, buf: make([]byte, 1)},
		"one in ConnectionMade": {recorder: &recorder{onMade: func() { panic("boom") }}, buf: make([]byte, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				reported := reports(ctx)
				ours, peer := pipe(t, ctx, "tcp")
				_, _ = aionet.NewTransport(ctx, ours, p)
				if name != "one in EOFReceived" {
					peer.Write([]byte("x"))
				}
				peer.CloseWrite()
				must(t, p.wait(ctx, "lost"))
				if p.err == nil || len(*reported) != 1 {
					t.Errorf("told %v, reported %q", p.err, *reported)
				}
				return nil
			})
		})
	}
}

// conformance: protocol-02
func TestBaseProtocol_doesNothingAndClosesAtTheEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		tr, peer := attach(t, ctx, "tcp", aionet.BaseProtocol{})
		peer.Write([]byte("x"))
		peer.CloseWrite()
		if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
		if !tr.IsClosing() {
			t.Error("open")
		}
		return nil
	})
}

// conformance: net-server-06 sock-10
func TestNewTransport_takesAConnectionThatWasUsedBefore(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		ours, peer := pipe(t, ctx, network)
		peer.Write([]byte("hello"))
		if got, err := readN(ours, 5); string(got) != "hello" {
			t.Errorf("%q, %v", got, err)
		}
		r := &recorder{}
		tr, err := aionet.NewTransport(ctx, ours, r)
		must(t, err)
		if _, err := ours.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the Conn still works: %v", err)
		}
		if _, err := aionet.NewTransport(ctx, ours, r); !errors.Is(err, net.ErrClosed) {
			t.Errorf("taken over twice: %v", err)
		}
		tr.Write([]byte("world"))
		if got, err := readN(peer, 5); string(got) != "world" {
			t.Errorf("%q, %v", got, err)
		}
		peer.Close()
		must(t, r.wait(ctx, "lost"))
		r.want(t, "made eof lost")
	})
}

func TestNewTransport_ofABusyConnection_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ours, _ := pipe(t, ctx, "tcp")
		reader := asyncio.Go(ctx, func(context.Context) error {
			_, err := ours.Read(make([]byte, 1))
			return err
		})
		must(t, asyncio.Yield(ctx))
		if _, err := aionet.NewTransport(ctx, ours, &recorder{}); err == nil || reader.Done() {
			t.Errorf("%v, reader ended %v", err, reader.Done())
		}
		reader.Cancel()
		_, _ = reader.Await(ctx)
		return nil
	})
}

func TestNewTransport_cancelledBeforeConnectionMade_saysNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ours, peer := pipe(t, ctx, "tcp")
		r := &recorder{}
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		if _, err := aionet.NewTransport(done, ours, r); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
		if r.has("lost") != r.has("made") {
			t.Errorf("told %q", r)
		}
		return nil
	})
}

func TestTransport_fairness_aBusyOneLetsOthersRun(t *testing.T) {
	run(t, func(ctx context.Context) error {
		l := asyncio.RunningLoop(ctx)
		ours, peer := pipe(t, ctx, "unix")
		filler := bytes.Repeat([]byte("x"), 100)
		peer.Write(filler)
		reads, others := 0, 0
		b := &bufferedRecorder{recorder: &recorder{}, buf: make([]byte, 1)}
		var tick func()
		tick = func() {
			if others++; reads < len(filler) {
				l.CallSoon(tick)
			}
		}
		b.onData = func() { reads++ }
		l.CallSoon(tick)
		tr, err := aionet.NewTransport(ctx, ours, b)
		must(t, err)
		must(t, b.until(ctx, func() bool { return reads == len(filler) }))
		if others < 5 {
			t.Errorf("%d turns for others while %d reads were done", others, reads)
		}
		tr.Close()
		return nil
	})
}

func TestTransport_atTheLoopsEnd_isLost(t *testing.T) {
	r, idle := &recorder{}, &recorder{}
	run(t, func(ctx context.Context) error {
		attach(t, ctx, "tcp", idle)
		tr, _ := attach(t, ctx, "tcp", r)
		jam(t, tr)
		return nil
	})
	r.want(t, "made pause lost")
	idle.want(t, "made lost")
	if !errors.Is(r.err, asyncio.ErrLoopClosed) {
		t.Error(r.err)
	}
}

// conformance: pipe-02
func TestTransport_String_alsoWhenTheLoopHasEnded(t *testing.T) {
	r := &recorder{}
	run(t, func(ctx context.Context) error {
		tr, _ := attach(t, ctx, "tcp", r)
		if s := fmt.Sprint(tr); !strings.Contains(s, "open") || !strings.Contains(s, tr.RemoteAddr().String()) {
			t.Error(s)
		}
		return nil
	})
	if s := fmt.Sprint(r.t); !strings.Contains(s, "closed") {
		t.Error(s)
	}
}

func TestTransport_onAnotherGoroutine_panicsAndNamesTheCall(t *testing.T) {
	run(t, func(ctx context.Context) error {
		tr, _ := attach(t, ctx, "tcp", &recorder{})
		for name, call := range map[string]func(){
			"Write": func() { tr.Write(nil) }, "Writev": func() { tr.Writev() }, "WriteEOF": func() { tr.WriteEOF() },
			"Close": func() { tr.Close() }, "Abort": tr.Abort, "IsClosing": func() { tr.IsClosing() },
			"PauseReading": tr.PauseReading, "ResumeReading": tr.ResumeReading, "IsReading": func() { tr.IsReading() },
			"SetWriteBufferLimits": func() { tr.SetWriteBufferLimits(0, 0) }, "WriteBufferLimits": func() { tr.WriteBufferLimits() },
			"WriteBufferSize": func() { tr.WriteBufferSize() }, "SetProtocol": func() { tr.SetProtocol(&recorder{}) },
			"Protocol": func() { tr.Protocol() }, "ConnectionState": func() { tr.ConnectionState() },
		} {
			message, err := asyncio.ToThread(ctx, func() (message string, _ error) {
				defer func() { message = fmt.Sprint(recover()) }()
				call()
				return
			})
			if err != nil || !strings.Contains(message, "aionet: Transport."+name+":") {
				t.Errorf("%s: %q, %v", name, message, err)
			}
		}
		tr.Close()
		return nil
	})
}
