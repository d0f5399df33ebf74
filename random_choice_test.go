package asyncio_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// This file has small random programs of nothing but Select and what stands beside
// it in line, under chaos: so each of their moments comes together with each other
// one. The programs of random_test.go know who comes when, and have no chaos.
//
//	ASYNCIO_CHOICES=100000 go test -run TestRandomChoices .
//
// With -race it should be a few thousand a time: the detector keeps some 0.25 MB of
// each program, for its coroutines.

func TestRandomChoices(t *testing.T) {
	first, n := uint64(1), uint64(1500)
	if s := os.Getenv("ASYNCIO_CHOICES"); s != "" {
		long, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, n = rand.Uint64N(1e9)+1, long
	}
	for seed := first; seed < first+n && !t.Failed(); seed++ {
		c := &choices{rnd: rand.New(rand.NewPCG(seed, 7)), a: asyncio.NewQueue[int](0), b: asyncio.NewQueue[int](1),
			permit: asyncio.NewSemaphore(1), ch: make(chan int, seed%2)}
		c.channels = seed%3 == 0
		err := asyncio.Run(context.Background(), c.main, asyncio.WithVirtualClock(), asyncio.WithChaos(seed),
			asyncio.WithInterrupt(false), asyncio.WithWatchdog(0))
		if err != nil {
			c.fault("Run: %v", err)
		}
		for _, fault := range c.faults {
			t.Errorf("seed %d: %s", seed, fault)
		}
	}
	t.Logf("%d programs from seed %d on", n, first)
}

type choices struct {
	rnd      *rand.Rand
	loop     *asyncio.Loop
	faults   []string
	a, b     *asyncio.Queue[int]
	permit   *asyncio.Semaphore
	lock     asyncio.Lock
	stop     asyncio.Event
	ch       chan int
	channels bool

	serial           int
	in, out          []int // of the queues
	sent, received   []int // on the channel
	holders, lockers int
}

func (c *choices) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *choices) main(ctx context.Context) error {
	c.loop = asyncio.RunningLoop(ctx)
	var look asyncio.Timer
	look.Init(c.loop, func() { c.atRest(); look.Reset(7 * time.Microsecond) })
	look.Reset(500) // all else happens at whole microseconds
	err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		for range 3 + c.rnd.IntN(4) {
			g.Go(c.task)
		}
		return nil
	})
	look.Stop()
	c.atEnd()
	return err
}

func (c *choices) task(ctx context.Context) error {
	for range 8 {
		d := time.Duration(c.rnd.IntN(12)) * time.Microsecond
		// A time-out that comes in the middle of everything.
		_ = asyncio.Timeout(ctx, d, c.step)
		if c.channels {
			if off := c.loop.Time() % time.Microsecond; off != 0 {
				asyncio.Sleep(ctx, time.Microsecond-off) // see program.align
			}
		}
	}
	return nil
}

func (c *choices) queue() *asyncio.Queue[int] {
	if c.rnd.IntN(2) == 0 {
		return c.a
	}
	return c.b
}

func (c *choices) item() int { c.serial++; return c.serial }

func (c *choices) put(v int, err error) {
	if err == nil {
		c.in = append(c.in, v)
	}
}

func (c *choices) got(v int, err error) {
	if err == nil {
		c.out = append(c.out, v)
	}
}

// step makes one call of those that may be made.
func (c *choices) step(ctx context.Context) error {
	q, v := c.queue(), c.item()
	var err error
	switch c.rnd.IntN(12) {
	case 0:
		err = q.Put(ctx, v)
		c.put(v, err)
	case 1:
		c.put(v, q.TryPut(v))
	case 2:
		v, err = q.Get(ctx)
		c.got(v, err)
	case 3:
		v, err := q.TryGet()
		c.got(v, err)
	case 4:
		return asyncio.Sleep(ctx, time.Duration(c.rnd.IntN(9))*time.Microsecond)
	case 5:
		if c.stop.Set(); c.rnd.IntN(2) == 0 {
			c.stop.Clear()
		}
	case 6:
		if c.rnd.IntN(8) == 0 {
			q.Shutdown(false)
		}
	case 7:
		if c.channels {
			c.meet(v)
		}
	default:
		err = c.choose(ctx)
	}
	return err
}

// meet lets a goroutine send or receive, once.
func (c *choices) meet(v int) {
	ch := c.ch
	if c.rnd.IntN(2) == 0 {
		select {
		case ch <- v:
			c.sent = append(c.sent, v)
		default:
		}
		return
	}
	select {
	case v := <-ch:
		c.received = append(c.received, v)
	default:
	}
}

func (c *choices) choose(ctx context.Context) error {
	var cases []asyncio.Case
	for range 1 + c.rnd.IntN(5) {
		switch n := c.rnd.IntN(12); {
		case n < 4:
			cases = append(cases, c.queue().Getting())
		case n < 6:
			cases = append(cases, c.queue().Putting(c.item()))
		case n == 6:
			cases = append(cases, c.permit.Acquiring())
		case n == 7:
			cases = append(cases, c.lock.Acquiring())
		case n == 8:
			cases = append(cases, &c.stop)
		case n == 9:
			cases = append(cases, asyncio.Sleeping(time.Duration(c.rnd.IntN(9))*time.Microsecond))
		case c.channels && n == 10:
			cases = append(cases, asyncio.Receiving(c.ch))
		case c.channels:
			cases = append(cases, asyncio.Sending(c.ch, c.item()))
		}
	}
	chosen, err := asyncio.Select(ctx, cases...)
	switch done := chosen.(type) {
	case nil:
		return err
	case *asyncio.QueueGet[int]:
		c.got(done.Value, err)
	case *asyncio.QueuePut[int]:
		c.put(done.Value, err)
	case *asyncio.ChannelReceive[int]:
		c.received = append(c.received, done.Value)
	case *asyncio.ChannelSend[int]:
		c.sent = append(c.sent, done.Value)
	default:
		c.hold(ctx, chosen)
	}
	return nil
}

// hold holds what was acquired for a while, if something was.
func (c *choices) hold(ctx context.Context, chosen asyncio.Case) {
	held, release := &c.holders, c.permit.Release
	switch chosen {
	case c.permit.Acquiring():
	case c.lock.Acquiring():
		held, release = &c.lockers, c.lock.Release
	default:
		return
	}
	if *held++; *held > 1 {
		c.fault("%d hold it", *held)
	}
	asyncio.Sleep(ctx, time.Duration(c.rnd.IntN(4))*time.Microsecond)
	*held--
	release()
}

// atRest looks at what must hold when nobody is ready to run.
func (c *choices) atRest() {
	for _, q := range []*asyncio.Queue[int]{c.a, c.b} {
		text := q.String()
		if strings.Contains(text, "get") && (q.Len() > 0 || strings.Contains(text, "down")) ||
			strings.Contains(text, "put") && (!q.Full() || strings.Contains(text, "down")) {
			c.fault("somebody waits for what is there: %s", text)
		}
	}
	if (c.holders == 0) == c.permit.Locked() || (c.lockers == 0) == c.lock.Locked() {
		c.fault("%d hold %v, %d %v", c.holders, c.permit, c.lockers, &c.lock)
	}
}

func (c *choices) atEnd() {
	for _, q := range []*asyncio.Queue[int]{c.a, c.b} {
		for !q.Empty() {
			c.got(q.TryGet())
		}
		if text := q.String(); strings.Contains(text, "get") || strings.Contains(text, "put") {
			c.fault("somebody is left in line: %s", text)
		}
	}
	for len(c.ch) > 0 {
		c.received = append(c.received, <-c.ch)
	}
	same := func(what string, in, out []int) {
		slices.Sort(in)
		slices.Sort(out)
		if !slices.Equal(in, out) {
			c.fault("%s: %v went in, %v came out", what, in, out)
		}
	}
	same("the queues", c.in, c.out)
	same("the channel", c.sent, c.received)
}
