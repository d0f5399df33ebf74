package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// world is a network in which each write arrives after 10 ms, and a clock.
type world struct {
	clock     *env.Clock
	events    []event // as they come
	listening map[string]*socket
}

type event struct {
	at time.Duration
	do func()
}

const delay = 10 * time.Millisecond

func newWorld() *world {
	return &world{clock: env.NewClock(time.Unix(1e9, 0)), listening: map[string]*socket{}}
}

// option is for a loop in the world.
func (w *world) option() asyncio.Option {
	e := env.Real()
	e.Clock, e.Rand = w.clock, env.Seeded(1)
	e.Poller = func(string) (poller.Poller, error) { return &wire{world: w}, nil }
	return engine.WithEnv(e).(asyncio.Option)
}

func (w *world) later(do func()) { w.events = append(w.events, event{w.clock.Now() + delay, do}) }

// next moves the clock to the first event, if that comes before until, and lets it happen; or else to until.
func (w *world) next(until time.Duration) bool {
	if len(w.events) == 0 || w.events[0].at > until {
		w.clock.Advance(until)
		return until < engine.Forever
	}
	e := w.events[0]
	w.events = w.events[1:]
	w.clock.Advance(e.at)
	e.do()
	return true
}

// wire is the poller of a loop of the world. What is nil it does not need.
type wire struct {
	poller.Poller
	world *world
	due   []func()
}

func (p *wire) Wait(time.Duration) (n int, err error) {
	for n = 0; len(p.due) > 0; n++ {
		due := p.due[0]
		p.due = p.due[1:]
		due()
	}
	return n, nil
}

func (p *wire) Len() int     { return 1 }
func (p *wire) Wake()        {}
func (p *wire) Close() error { return nil }

func (p *wire) Listen(_, address string, _ *poller.Options) (poller.Socket, error) {
	s := &socket{wire: p}
	p.world.listening[address] = s
	return s, nil
}

func (p *wire) Dial(_ string, remote net.Addr, _ *poller.Options) (poller.Socket, error) {
	s := &socket{wire: p, err: poller.ErrAgain}
	p.world.later(func() {
		s.err = errors.New("nobody listens there")
		if ln := p.world.listening[remote.String()]; ln != nil {
			s.peer, s.err = &socket{wire: ln.wire, peer: s}, nil
			ln.waiting = append(ln.waiting, s.peer)
			ln.ready(poller.Read)
		}
		s.ready(poller.Write)
	})
	return s, nil
}

// socket listens or is connected. What is nil it does not need.
type socket struct {
	poller.Socket
	wire    *wire
	owner   poller.Owner
	peer    *socket
	waiting []*socket // connections to be accepted
	in      []byte
	ended   bool
	err     error // of connecting
}

func (s *socket) ready(m poller.Mode) {
	s.wire.due = append(s.wire.due, func() {
		if s.owner != nil {
			s.owner.Ready(m)
		}
	})
}

func (s *socket) SetOwner(o poller.Owner)                          { s.owner = o }
func (s *socket) Arm(poller.Mode) error                            { return nil } // it lasts
func (s *socket) Connect() error                                   { return s.err }
func (s *socket) LocalAddr() net.Addr                              { return &net.TCPAddr{Port: 1} }
func (s *socket) RemoteAddr() net.Addr                             { return &net.TCPAddr{Port: 2} }
func (s *socket) SetDeadline(poller.Mode, time.Time)               {}
func (s *socket) Block(poller.Mode, func(poller.Tryer) bool) error { return errors.ErrUnsupported }
func (s *socket) Abort()                                           {}

func (s *socket) Accept() (poller.Socket, error) {
	if len(s.waiting) == 0 {
		return nil, poller.ErrAgain
	}
	c := s.waiting[0]
	s.waiting = s.waiting[1:]
	return c, nil
}

func (s *socket) Read(p []byte) (int, error) {
	switch {
	case len(s.in) > 0:
		n := copy(p, s.in)
		s.in = s.in[n:]
		return n, nil
	case s.ended:
		return 0, io.EOF
	}
	return 0, poller.ErrAgain
}

func (s *socket) Write(p []byte) (int, error) {
	data := slices.Clone(p)
	s.wire.world.later(func() {
		s.peer.in = append(s.peer.in, data...)
		s.peer.ready(poller.Read)
	})
	return len(p), nil
}

func (s *socket) Close() error {
	if s.peer != nil {
		s.wire.world.later(func() {
			s.peer.ended = true
			s.peer.ready(poller.Read)
		})
	}
	return nil
}

const address = "192.0.2.1:7"

// echo answers one connection.
func echo(ctx context.Context) error {
	ln, err := aionet.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer ln.Close()
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	_, err = io.Copy(c, c)
	return errors.Join(err, c.Close())
}

// pings returns when each of some answers came.
func pings(ctx context.Context) (at []time.Duration, err error) {
	start := asyncio.Now(ctx)
	c, err := aionet.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for range 3 {
		if err := asyncio.Sleep(ctx, time.Second); err != nil {
			return nil, err
		}
		if _, err := c.Write([]byte("ping")); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			return nil, err
		}
		at = append(at, asyncio.Now(ctx).Sub(start))
	}
	return at, nil
}

// there and back, after a second each, and after the connection.
var answers = []time.Duration{1030 * time.Millisecond, 2050 * time.Millisecond, 3070 * time.Millisecond}

func TestStep_twoLoopsOnOneClock_talkOverASimulatedNetwork(t *testing.T) {
	trace := func() (steps []string) {
		w := newWorld()
		var loops []*engine.Loop
		start := func(main func(ctx context.Context) error) *asyncio.Task[asyncio.None] {
			l, err := asyncio.NewLoop(w.option())
			if err != nil {
				t.Fatal(err)
			}
			loops = append(loops, engine.Unwrap(l))
			return asyncio.Go(l.Context(), main)
		}
		server := start(echo)
		var got []time.Duration
		client := start(func(ctx context.Context) (err error) {
			got, err = pings(ctx)
			return err
		})
		for !server.Done() || !client.Done() {
			ran := false
			first := time.Duration(math.MaxInt64)
			for i, l := range loops {
				if l.Poll() && l.Step() {
					ran = true
					steps = append(steps, fmt.Sprint(w.clock.Now(), i))
				}
				if when, ok := l.NextTimer(); ok {
					first = min(first, when)
				}
			}
			if !ran && !w.next(first) {
				t.Fatalf("nothing can go on: %q", steps)
			}
		}
		if !slices.Equal(got, answers) || server.Err() != nil || client.Err() != nil {
			t.Errorf("answers came after %v, want %v; %v, %v", got, answers, server.Err(), client.Err())
		}
		for _, l := range loops {
			if err := l.Close("test"); err != nil {
				t.Error(err)
			}
		}
		return steps
	}
	if first, second := trace(), trace(); !slices.Equal(first, second) {
		t.Errorf("two runs took the steps %q and %q", first, second)
	}
}

func TestStep_runsOneTaskAndLeavesTheOthers(t *testing.T) {
	l, err := asyncio.NewLoop(asyncio.WithVirtualClock())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	inner := engine.Unwrap(l)
	ran := 0
	for range 3 {
		asyncio.Go(l.Context(), func(ctx context.Context) error {
			ran++
			return asyncio.Sleep(ctx, time.Minute)
		})
	}
	if _, ok := inner.NextTimer(); ok {
		t.Error("there is a timer before anything has run")
	}
	for want := 1; want <= 3; want++ {
		if !inner.Poll() || !inner.Step() || ran != want {
			t.Fatalf("after %d steps %d tasks have run", want, ran)
		}
	}
	if inner.Poll() || inner.Step() || inner.Time() != 0 {
		t.Errorf("something runs before its time: it is %v", inner.Time())
	}
	if when, ok := inner.NextTimer(); when != time.Minute || !ok {
		t.Errorf("the next timer is at %v, %v", when, ok)
	}
}

func TestIdle_eventsComeBeforeLaterTimers(t *testing.T) {
	w := newWorld()
	w.clock.Idle = w.next
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		server := asyncio.Go(ctx, echo)
		_ = asyncio.Yield(ctx)
		var got []time.Duration
		err := asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) (err error) {
			got, err = pings(ctx)
			return err
		})
		if !slices.Equal(got, answers) {
			t.Errorf("answers came after %v, want %v", got, answers)
		}
		_, failed := server.Await(ctx)
		return errors.Join(err, failed)
	}, w.option())
	if err != nil {
		t.Error(err)
	}
}

func TestIdle_nothingWillHappen_isADeadlock(t *testing.T) {
	w := newWorld()
	w.clock.Idle = w.next
	err := asyncio.Run(t.Context(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		_, err = ln.Accept()
		return err
	}, w.option())
	if _, ok := errors.AsType[*asyncio.DeadlockError](err); !ok {
		t.Errorf("the error is %v", err)
	}
}
