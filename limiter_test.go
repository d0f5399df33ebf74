package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// granted starts a task that acquires n tokens and notes when it got them.
func granted(ctx context.Context, m *asyncio.Limiter, log *[]string, n int) *asyncio.Task[asyncio.None] {
	loop := quietLoop(ctx)
	return asyncio.Go(ctx, func(ctx context.Context) error {
		err := m.AcquireN(ctx, n)
		if err == nil {
			*log = append(*log, fmt.Sprintf("%d at %v", n, loop.Time()))
		}
		return err
	})
}

func TestLimiter_letsABurstGo_thenKeepsToTheRate(t *testing.T) {
	run(t, func(ctx context.Context) error {
		m := asyncio.NewLimiter(3, time.Second)
		loop := asyncio.RunningLoop(ctx)
		var times []time.Duration
		for range 7 {
			if err := m.Acquire(ctx); err != nil {
				return err
			}
			times = append(times, loop.Time())
		}
		// A third of a second each, rounded up one by one and never summed up.
		if got := fmt.Sprint(times); got != "[0s 0s 0s 333.333334ms 666.666667ms 1s 1.333333334s]" {
			t.Errorf("acquired at %s", got)
		}
		asyncio.Sleep(ctx, time.Hour) // no more than the bucket holds is saved up
		n := 0
		for m.TryAcquire() {
			n++
		}
		if n != 3 {
			t.Errorf("a burst of %d after an hour, want 3", n)
		}
		return nil
	})
}

func TestLimiter_doesNotDrift(t *testing.T) {
	for _, n := range []int{1, 3, 7, 999, 1_000_000_007, 3_000_000_000} {
		run(t, func(ctx context.Context) error {
			m := asyncio.NewLimiter(n, time.Second)
			loop := asyncio.RunningLoop(ctx)
			if err := m.AcquireN(ctx, n); err != nil {
				return err
			}
			part := max(1, n/1000)
			for got := 0; got < n; got += part {
				part = min(part, n-got)
				if err := m.AcquireN(ctx, part); err != nil {
					return err
				}
			}
			if loop.Time() != time.Second {
				t.Errorf("%d more took %v, want exactly 1s", n, loop.Time())
			}
			return nil
		})
	}
}

func TestLimiter_isFair_nobodyOvertakesWhoWantsMore(t *testing.T) {
	run(t, func(ctx context.Context) error {
		m := asyncio.NewLimiter(10, 10*time.Second)
		var log []string
		m.AcquireN(ctx, 8)
		granted(ctx, m, &log, 5)
		granted(ctx, m, &log, 1)
		granted(ctx, m, &log, 1)
		granted(ctx, m, &log, 0)
		letWait(t, ctx)
		if s := m.String(); s != "a Limiter (10 per 10s, 2 free, 4 wait)" {
			t.Error(s)
		}
		if m.TryAcquire() {
			t.Error("TryAcquire overtook those who wait")
		}
		asyncio.Sleep(ctx, time.Hour)
		wantLog(t, "granted", log, "5 at 3s, 1 at 4s, 1 at 5s, 0 at 5s")
		if s := m.String(); s != "a Limiter (10 per 10s, 10 free)" {
			t.Error(s)
		}
		return nil
	}, fifo)
}

func TestLimiter_severalThatFitAtOnce_goAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		m := asyncio.NewLimiter(4, 4*time.Second)
		var log []string
		m.AcquireN(ctx, 4)
		first := granted(ctx, m, &log, 4)
		granted(ctx, m, &log, 1)
		granted(ctx, m, &log, 2)
		granted(ctx, m, &log, 2)
		asyncio.Sleep(ctx, 3*time.Second)
		first.Cancel() // those behind it move up
		asyncio.Sleep(ctx, time.Hour)
		wantLog(t, "granted", log, "1 at 3s, 2 at 3s, 2 at 5s")
		return nil
	}, fifo)
}

func TestLimiter_cancelledWaiter_takesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		m := asyncio.NewLimiter(2, 2*time.Second)
		var log []string
		boom := errors.New("boom")
		m.AcquireN(ctx, 2)
		task := granted(ctx, m, &log, 2)
		letWait(t, ctx)
		task.Cancel(boom)
		_, err := task.Await(ctx)
		wantErr(t, "AcquireN", err, boom)
		asyncio.Sleep(ctx, 2*time.Second)
		if s := m.String(); s != "a Limiter (2 per 2s, 2 free)" {
			t.Error(s)
		}
		done, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		wantErr(t, "Acquire under a done context", m.Acquire(done), boom)
		first, second := m.TryAcquire(), m.TryAcquire()
		if !first || !second || others != 1 {
			t.Errorf("a done context took a token, or has not yielded once: %s, %d", m, others)
		}
		return nil
	})
}

func TestLimiter_grantedAndCancelledInTheSameTurn_keepsIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		m := asyncio.NewLimiter(1, time.Second)
		var log []string
		m.Acquire(ctx)
		task := granted(ctx, m, &log, 1)
		asyncio.RunningLoop(ctx).CallAt(time.Second, func() { task.Cancel() })
		letWait(t, ctx)
		granted(ctx, m, &log, 1)
		asyncio.Sleep(ctx, time.Hour)
		wantLog(t, "granted", log, "1 at 1s, 1 at 2s")
		return nil
	})
}

func TestLimiter_whatEndsAfterTheDeadline_isNotWaitedFor(t *testing.T) {
	run(t, func(ctx context.Context) error {
		m := asyncio.NewLimiter(10, 10*time.Second)
		loop := asyncio.RunningLoop(ctx)
		var log []string
		m.AcquireN(ctx, 10)
		granted(ctx, m, &log, 2)
		letWait(t, ctx)
		start, others := loop.Time(), 0
		loop.CallSoon(func() { others++ })
		err := asyncio.Timeout(ctx, 5*time.Second-start, func(ctx context.Context) error {
			return m.AcquireN(ctx, 4)
		})
		wantErr(t, "4 tokens before 5s", err, context.DeadlineExceeded)
		if loop.Time() != start || others != 1 || !strings.Contains(err.Error(), "would end after the deadline") {
			t.Errorf("at %v, %d others ran: %v", loop.Time(), others, err)
		}
		err = asyncio.Timeout(ctx, 5*time.Second, func(ctx context.Context) error {
			return m.AcquireN(ctx, 3)
		})
		wantErr(t, "3 tokens", err, nil)
		if loop.Time() != 5*time.Second {
			t.Errorf("3 tokens came at %v", loop.Time())
		}
		wantLog(t, "the one before", log, "2 at 2s")

		// Who has what it wanted, or was cancelled, does not count.
		task := granted(ctx, m, &log, 5)
		letWait(t, ctx)
		task.Cancel()
		task.Await(ctx)
		return asyncio.Timeout(ctx, 2*time.Second, m.Acquire)
	})
}

func TestLimiter_extremes(t *testing.T) {
	const most, forever = 1<<63 - 1, time.Duration(1<<63 - 1)
	run(t, func(ctx context.Context) error {
		m := asyncio.NewLimiter(most, forever)
		wantErr(t, "all of it", m.AcquireN(ctx, most), nil)
		wantErr(t, "one more", m.Acquire(ctx), nil)
		if now := asyncio.RunningLoop(ctx).Time(); now != 1 {
			t.Errorf("one more came at %d", now)
		}
		for range 3 {
			asyncio.Go(ctx, func(ctx context.Context) error { return m.AcquireN(ctx, most) })
		}
		letWait(t, ctx)
		rare := asyncio.NewLimiter(1, forever)
		rare.Acquire(ctx)
		err := asyncio.Timeout(ctx, 1000*time.Hour, rare.Acquire)
		wantErr(t, "one in 292 years", err, context.DeadlineExceeded)
		return nil
	})
}

func TestLimiter_misuse_isNamed(t *testing.T) {
	for _, c := range []struct {
		n    int
		per  time.Duration
		want string
	}{{0, time.Second, "0 per 1s"}, {-1, time.Second, "-1 per 1s"}, {1, 0, "1 per 0s"}, {1, -1, "1 per -1ns"}} {
		mustPanic(t, "asyncio: NewLimiter: "+c.want+"; both must be positive", func() { asyncio.NewLimiter(c.n, c.per) })
	}
	m := asyncio.NewLimiter(2, time.Second)
	mustPanic(t, "Limiter.TryAcquire: asyncio: called from a goroutine that is not the event loop's", func() { m.TryAcquire() })
	run(t, func(ctx context.Context) error {
		for _, n := range []int{-1, 3} {
			want := fmt.Sprintf("%d tokens; it must be from 0 to 2", n)
			if err := m.AcquireN(ctx, n); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("AcquireN(%d) returned %v", n, err)
			}
		}
		elsewhere(func() {
			wantErr(t, "Acquire", m.Acquire(ctx), asyncio.ErrWrongGoroutine)
			mustPanic(t, "Limiter.TryAcquire: asyncio: called from a goroutine that is not the event loop's", func() { m.TryAcquire() })
			onAnotherLoop(t, func(ctx context.Context) error { return m.Acquire(ctx) })
		})
		return nil
	})
}

// The clock of the next loop begins at zero.
func TestLimiter_onANewLoop_isFull(t *testing.T) {
	m := asyncio.NewLimiter(2, time.Second)
	for _, try := range []bool{false, true, false} {
		run(t, func(ctx context.Context) error {
			var log []string
			asyncio.Sleep(ctx, time.Hour)
			if try && !m.TryAcquire() || !try && m.Acquire(ctx) != nil {
				t.Error("the first token is not there")
			}
			wantErr(t, "Acquire", m.Acquire(ctx), nil)
			if now := asyncio.RunningLoop(ctx).Time(); now != time.Hour {
				t.Errorf("two tokens came at %v", now)
			}
			granted(ctx, m, &log, 2)
			letWait(t, ctx) // and it waits at the end of the loop
			return nil
		})
	}
}

func TestLimiter_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		free := asyncio.NewLimiter(1_000_000, time.Second)
		allocates(t, "an uncontended limiter", 0, func() { free.Acquire(ctx) })
		m := asyncio.NewLimiter(1, time.Millisecond)
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for {
				if err := m.Acquire(ctx); err != nil {
					return nil
				}
			}
		})
		m.Acquire(ctx)
		allocates(t, "a wait in line", 0, func() { m.Acquire(ctx) })
		other.Cancel()
		return nil
	})
}

// Whatever is acquired, tried and cancelled at random: in no stretch of time is
// more granted than the bucket holds and the rate gives, nobody overtakes, and
// in the end all tokens are there.
func TestLimiter_atRandom(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		run(t, func(ctx context.Context) error {
			size, per := 1+rnd.IntN(5), time.Duration(1+rnd.IntN(100))
			m := asyncio.NewLimiter(size, per)
			loop := asyncio.RunningLoop(ctx)
			type grant struct {
				at time.Duration
				n  int
			}
			var grants []grant
			var line []context.Context
			var tasks []*asyncio.Task[asyncio.None]
			for range 40 {
				tasks = append(tasks, asyncio.Go(ctx, func(ctx context.Context) error {
					asyncio.Sleep(ctx, time.Duration(rnd.IntN(200)))
					if rnd.IntN(5) == 0 {
						if m.TryAcquire() {
							grants = append(grants, grant{loop.Time(), 1})
						}
						return nil
					}
					n := rnd.IntN(size + 1)
					inLine := strings.Contains(m.String(), "wait")
					line = append(line, ctx)
					err := m.AcquireN(ctx, n)
					for i, other := range line {
						if other == ctx {
							line = append(line[:i:i], line[i+1:]...)
							break
						}
						if err == nil && inLine && other.Err() == nil {
							t.Errorf("seed %d: somebody overtook", seed)
						}
					}
					if err == nil {
						grants = append(grants, grant{loop.Time(), n})
					}
					return err
				}))
			}
			for range 10 {
				asyncio.Sleep(ctx, time.Duration(rnd.IntN(50)))
				tasks[rnd.IntN(len(tasks))].Cancel()
			}
			asyncio.Sleep(ctx, time.Hour)
			for i := range grants {
				sum := 0
				for _, g := range grants[i:] {
					sum += g.n
					if most := time.Duration(size)*per + time.Duration(size)*(g.at-grants[i].at); time.Duration(sum)*per > most {
						t.Errorf("seed %d: %d tokens from %v to %v, at %d per %v", seed, sum, grants[i].at, g.at, size, per)
					}
				}
			}
			if want := fmt.Sprintf("a Limiter (%d per %v, %d free)", size, per, size); m.String() != want {
				t.Errorf("seed %d: %s, want %s", seed, m, want)
			}
			return nil
		}, fifo)
		if t.Failed() {
			return
		}
	}
}

func TestLimiter_whenNobodyWaits_hasNoTimer(t *testing.T) {
	var end time.Duration
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		m := asyncio.NewLimiter(1, time.Hour)
		var log []string
		m.Acquire(ctx)
		task := granted(ctx, m, &log, 1)
		letWait(t, ctx)
		task.Cancel()
		err := new(asyncio.Event).Wait(ctx)
		end = quietLoop(ctx).Time()
		return err
	}, asyncio.WithVirtualClock())
	var deadlock *asyncio.DeadlockError
	if !errors.As(err, &deadlock) || end >= time.Hour {
		t.Errorf("after %v: %v; want a deadlock at once", end, err)
	}
}
