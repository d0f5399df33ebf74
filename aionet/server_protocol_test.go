package aionet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// recorders is a server of protocols that write down what they are told, and echo it.
type recorders struct {
	*aionet.Server
	addr string
	all  []*recorder
	made lowlevel.WaitQueue
}

func newRecorders(t testing.TB, ctx context.Context, network string, config *tls.Config, opts ...aionet.ServeOption) *recorders {
	t.Helper()
	var ln *aionet.Listener
	var err error
	if config != nil {
		ln, err = aionet.ListenTLS(ctx, network, address(t, network), config)
	} else {
		ln, err = aionet.Listen(ctx, network, address(t, network))
	}
	must(t, err)
	s := &recorders{addr: ln.Addr().String()}
	s.Server = aionet.NewProtocolServer(ctx, func() aionet.Protocol {
		r := &recorder{}
		r.onMade = func() { s.made.WakeAll() }
		r.onData = func() {
			r.t.Write(r.data)
			r.data = nil
		}
		s.all = append(s.all, r)
		return r
	}, opts...)
	must(t, s.AddListener(ln))
	return s
}

// begun waits for the protocol of connection i.
func (s *recorders) begun(ctx context.Context, i int) *recorder {
	for len(s.all) <= i || !s.all[i].has("made") {
		if s.made.WaitOutside(ctx, never2{}) != nil {
			return &recorder{}
		}
	}
	return s.all[i]
}

func TestProtocolServer_startsServesAtSeveralAddressesAndEnds(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		s := newRecorders(t, ctx, network, nil)
		second, err := aionet.Listen(ctx, network, address(t, network))
		must(t, err)
		forever := asyncio.Go(ctx, s.ServeForever)
		must(t, asyncio.Yield(ctx))
		must(t, s.AddListener(second))
		a, b := dialed(t, ctx, network, s.addr), dialed(t, ctx, network, second.Addr().String())
		must(t, errors.Join(roundTrip(ctx, a, "hello"), roundTrip(ctx, b, "hello")))
		if s.Connections() != 2 || !s.IsServing() || len(s.Addrs()) != 2 {
			t.Errorf("while it serves: %s", s)
		}
		a.Close()
		for s.Connections() > 1 {
			must(t, asyncio.Sleep(ctx, time.Millisecond))
		}
		forever.Cancel()
		if _, err := forever.Await(ctx); !errors.Is(err, context.Canceled) || s.Connections() != 0 {
			t.Errorf("ServeForever = %v: %s", err, s)
		}
		if got, err := io.ReadAll(b); len(got) > 0 || err != nil {
			t.Errorf("the client reads %q, %v, want the end", got, err)
		}
		first, last := s.all[0], s.all[1]
		if last.has("eof") { // the second listener was served first
			first, last = last, first
		}
		first.want(t, "made data eof lost")
		last.want(t, "made data lost")
		if _, err := aionet.Dial(ctx, network, s.addr); err == nil {
			t.Error("somebody still answers")
		}
	})
}

func TestProtocolServer_atTheLimit_acceptsNoMoreUntilOneEnds(t *testing.T) {
	for name, config := range map[string]*tls.Config{"plain": nil, "TLS": serverConfig()} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				s := newRecorders(t, ctx, "tcp", config, aionet.WithMaxConnections(1))
				must(t, s.Start())
				if config != nil { // a handshake that is under way takes the place
					silent := dialed(t, ctx, "tcp", s.addr)
					for s.Connections() == 0 {
						must(t, asyncio.Sleep(ctx, time.Millisecond))
					}
					silent.Close()
				}
				dial := func(ctx context.Context) (io.ReadWriteCloser, error) {
					if config != nil {
						return aionet.DialTLS(ctx, "tcp", s.addr, clientConfig())
					}
					return aionet.Dial(ctx, "tcp", s.addr)
				}
				first, err := dial(ctx)
				must(t, err)
				s.begun(ctx, 0)
				second := asyncio.CreateTask(ctx, func(ctx context.Context) (byte, error) {
					c, err := dial(ctx)
					if err != nil {
						return 0, err
					}
					defer c.Close()
					if _, err := c.Write([]byte("x")); err != nil {
						return 0, err
					}
					got := make([]byte, 1)
					_, err = io.ReadFull(c, got)
					return got[0], err
				})
				must(t, asyncio.Sleep(ctx, 10*time.Millisecond))
				if len(s.all) != 1 || s.Connections() != 1 {
					t.Errorf("%d protocols were made: %s", len(s.all), s)
				}
				first.Close()
				if got, err := second.Await(ctx); got != 'x' || err != nil {
					t.Errorf("after one has ended: %q, %v", got, err)
				}
				_ = s.Shutdown(ctx)
				return nil
			})
		})
	}
}

// Protocols go on while the server drains, and what they wrote is sent when they are closed then.
func TestProtocolServer_shutdown_drainsThenCloses(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		s := newRecorders(t, ctx, network, nil, aionet.WithDrain(time.Hour), aionet.WithAbortAfter(time.Hour))
		must(t, s.Start())
		quick, slow := dialed(t, ctx, network, s.addr), dialed(t, ctx, network, s.addr)
		s.begun(ctx, 1)
		end := asyncio.Go(ctx, s.Shutdown)
		if !isPending(ctx, end) {
			t.Error("Shutdown does not drain")
		}
		must(t, roundTrip(ctx, quick, "still served"))
		quick.Close()
		must(t, s.all[0].wait(ctx, "lost"))
		left := s.all[1] // each has the connection of its number: they came in order
		written := jam(t, left.t)
		end.Cancel()
		if !isPending(ctx, end) || !left.t.IsClosing() || left.has("lost") {
			t.Errorf("when draining is over: told %v, %v", left, left.t)
		}
		if got, err := io.ReadAll(slow); err != nil || !bytes.Equal(got, written) {
			t.Errorf("who reads got %d bytes of %d, %v", len(got), len(written), err)
		}
		if _, err := end.Await(ctx); !errors.Is(err, context.Canceled) || s.Connections() != 0 {
			t.Errorf("Shutdown = %v: %s", err, s)
		}
		s.all[0].want(t, "made data eof lost")
		left.want(t, "made pause resume lost")
	})
}

func TestProtocolServer_shutdown_abortsWhatItsPeerDoesNotTake(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		s := newRecorders(t, ctx, network, nil, aionet.WithAbortAfter(time.Millisecond))
		must(t, s.Start())
		c := dialed(t, ctx, network, s.addr)
		r := s.begun(ctx, 0)
		written := jam(t, r.t)
		more := make([]byte, 16<<20) // than the system has room for
		_, err := r.t.Write(more)
		must(t, err)
		written = append(written, more...)
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || s.Connections() != 0 {
			t.Errorf("Shutdown = %v: %s", err, s)
		}
		r.want(t, "made pause lost")
		if n, err := io.Copy(io.Discard, c); n == 0 || n >= int64(len(written)) {
			t.Errorf("the client got %d bytes of %d, %v", n, len(written), err)
		}
	})
}

func TestProtocolServer_clientsClosedOrAborted_theServerGoesOn(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		s := newRecorders(t, ctx, network, nil)
		must(t, s.Start())
		for i, end := range []func(){s.CloseClients, s.AbortClients} {
			c := dialed(t, ctx, network, s.addr)
			r := s.begun(ctx, i)
			written := jam(t, r.t)
			end()
			got, err := io.ReadAll(c)
			if whole := len(got) == len(written); err != nil || whole != (i == 0) {
				t.Errorf("%d: the client got %d bytes of %d, %v", i, len(got), len(written), err)
			}
			must(t, r.wait(ctx, "lost"))
		}
		must(t, roundTrip(ctx, dialed(t, ctx, network, s.addr), "another"))
		s.Close()
		s.CloseClients()
		must(t, s.WaitClosed(ctx))
	})
}

// A client that says nothing does not hold up the end of a server that waits for its part of the handshake.
func TestProtocolServer_clientsInTheHandshake_areEnded(t *testing.T) {
	run(t, func(ctx context.Context) error {
		reported := reports(ctx)
		s := newRecorders(t, ctx, "tcp", serverConfig())
		must(t, s.Start())
		silent := func() *aionet.Conn {
			c := dialed(t, ctx, "tcp", s.addr)
			for s.Connections() == 0 {
				must(t, asyncio.Sleep(ctx, time.Millisecond))
			}
			must(t, asyncio.Yield(ctx))
			return c
		}
		for _, end := range []func(){s.CloseClients, s.AbortClients, func() { _ = s.Shutdown(ctx) }} {
			c := silent()
			end()
			if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
				t.Errorf("the client read %q, %v, want the end", got, err)
			}
			for s.Connections() > 0 {
				must(t, asyncio.Yield(ctx))
			}
		}
		if len(s.all) > 0 || len(*reported) > 0 {
			t.Errorf("%d protocols were made, reported: %q", len(s.all), *reported)
		}
		return s.WaitClosed(ctx)
	})
}

func TestProtocolServer_makingAProtocolPanics_isReportedAndTheServerGoesOn(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		reported := reports(ctx)
		ln, err := aionet.Listen(ctx, network, address(t, network))
		must(t, err)
		calls := 0
		s := aionet.NewProtocolServer(ctx, func() aionet.Protocol {
			switch calls++; calls {
			case 1:
				panic("no protocol today")
			case 2:
				return nil
			}
			return new(echoProtocol)
		}, aionet.WithMaxConnections(1))
		must(t, errors.Join(s.AddListener(ln), s.Start()))
		for range 2 {
			if got, err := io.ReadAll(dialed(t, ctx, network, ln.Addr().String())); len(got) > 0 || err != nil {
				t.Errorf("read %q, %v, want the end", got, err)
			}
		}
		must(t, roundTrip(ctx, dialed(t, ctx, network, ln.Addr().String()), "a good one"))
		if all := strings.Join(*reported, "\n"); len(*reported) != 2 || !strings.Contains(all, "no protocol today") || !strings.Contains(all, "nil Protocol") {
			t.Errorf("reported: %q", *reported)
		}
		_ = s.Shutdown(ctx)
		mustPanic(t, "NewProtocolServer: nil function", func() { aionet.NewProtocolServer(ctx, nil) })
	})
}
