package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// wanting starts a task that waits for n permits and says so.
func wanting(ctx context.Context, s *asyncio.Semaphore, n int, got *[]int) *asyncio.Task[asyncio.None] {
	return asyncio.Go(ctx, func(ctx context.Context) error {
		err := s.AcquireN(ctx, n)
		if err == nil {
			*got = append(*got, n)
		}
		return err
	}, asyncio.EagerStart(true))
}

func TestSemaphore_AcquireN_aLargeRequestIsNotStarved(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(5)
		var got []int
		wanting(ctx, s, 3, &got)
		wanting(ctx, s, 4, &got)
		wanting(ctx, s, 1, &got) // there are two, but they are kept for the 4
		letWait(t, ctx)
		if fmt.Sprint(got) != "[3]" || s.TryAcquire() || s.TryAcquireN(2) || !s.Locked() {
			t.Errorf("got %v, %v", got, s)
		}
		if err := asyncio.Timeout(ctx, time.Second, s.Acquire); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more: %v", err)
		}
		if text := s.String(); text != "a Semaphore (2 free, 2 wait)" {
			t.Error(text)
		}
		s.Release()
		s.Release()
		letWait(t, ctx)
		if fmt.Sprint(got) != "[3 4]" {
			t.Errorf("after two releases: %v", got)
		}
		s.ReleaseN(4)
		letWait(t, ctx)
		if fmt.Sprint(got) != "[3 4 1]" || s.Locked() || !s.TryAcquireN(3) || s.TryAcquire() {
			t.Errorf("after all: %v, %v", got, s)
		}
		return nil
	}, fifo)
}

func TestSemaphore_AcquireN_whoGivesUpLetsThoseBehindIn(t *testing.T) {
	for name, wait := range map[string]func(ctx context.Context, s *asyncio.Semaphore) error{
		"AcquireN": func(ctx context.Context, s *asyncio.Semaphore) error {
			return asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error { return s.AcquireN(ctx, 3) })
		},
		"Select": func(ctx context.Context, s *asyncio.Semaphore) error {
			_, err := asyncio.Select(ctx, s.AcquiringN(3), asyncio.Sleeping(time.Second))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				s := asyncio.NewSemaphore(2)
				asyncio.Go(ctx, func(ctx context.Context) error { return wait(ctx, s) })
				letWait(t, ctx)
				var got []int
				wanting(ctx, s, 1, &got)
				asyncio.Sleep(ctx, 2*time.Second)
				if fmt.Sprint(got) != "[1]" || !s.TryAcquire() || s.TryAcquire() {
					t.Errorf("got %v, %v", got, s)
				}
				return nil
			})
		})
	}
}

func TestSemaphore_AcquiringN_takesAllAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(3)
		many := s.AcquiringN(2)
		for _, want := range []bool{true, false} {
			chosen, err := asyncio.TrySelect(ctx, many)
			if (chosen == many) != want || err != nil {
				t.Errorf("got %v, %v; want it %v", chosen, err, want)
			}
		}
		asyncio.RunningLoop(ctx).CallLater(time.Second, s.Release)
		chosen, err := asyncio.Select(ctx, many, asyncio.Sleeping(time.Minute))
		if chosen != many || err != nil || s.Stats().InUse != 3 {
			t.Errorf("got %v, %v, %v", chosen, err, s)
		}
		return nil
	})
}

func TestSemaphore_SetLimit_moreAreThereAtOnce_fewerAsTheyComeBack(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(2)
		var got []int
		for range 5 {
			wanting(ctx, s, 1, &got)
		}
		want := func(n int, limit, inUse, waiting int) {
			t.Helper()
			letWait(t, ctx)
			st := s.Stats()
			if len(got) != n || st.Limit != limit || st.InUse != inUse || st.Waiting != waiting {
				t.Errorf("%d have it, %+v; want %d, %d, %d, %d", len(got), st, n, limit, inUse, waiting)
			}
		}
		want(2, 2, 2, 3)
		s.SetLimit(4)
		want(4, 4, 4, 1)
		s.SetLimit(1)
		want(4, 1, 4, 1)
		s.ReleaseN(3)
		want(4, 1, 1, 1)
		s.Release()
		want(5, 1, 1, 0)
		s.SetLimit(0)
		s.Release()
		if want(5, 0, 0, 0); s.TryAcquire() || !s.Locked() {
			t.Errorf("a permit of none: %v", s)
		}
		s.SetLimit(3)
		if !s.TryAcquireN(3) || s.TryAcquire() {
			t.Errorf("three: %v", s)
		}
		if s.Stats().Waits != 3 {
			t.Errorf("%d waits, want 3", s.Stats().Waits)
		}
		s.SetLimit(1)
		s.SetLimit(2) // pays part of it
		s.Release()
		if s.TryAcquire() || s.Stats().InUse != 2 {
			t.Errorf("two of two are out: %v, %+v", s, s.Stats())
		}
		s.ReleaseN(2)
		wanting(ctx, s, 3, &got) // more than there are
		s.SetLimit(1)            // of those that are kept for it
		if st := s.Stats(); st.InUse != 0 || s.TryAcquire() {
			t.Errorf("%+v", st)
		}
		s.SetLimit(3)
		want(6, 3, 3, 0)
		return nil
	}, fifo)
}

func TestSemaphore_Close_letsThoseWhoWaitAndWhoComeFail(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(2)
		if err := s.Acquire(ctx); err != nil {
			return err
		}
		var got []int
		waiter := wanting(ctx, s, 2, &got)
		chooser := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := asyncio.Select(ctx, s.Acquiring())
			return err
		})
		letWait(t, ctx)
		s.Close()
		s.Close()
		letWait(t, ctx)
		_, selected := asyncio.TrySelect(ctx, s.AcquiringN(1))
		for what, err := range map[string]error{
			"a waiter": waiter.Err(), "a Select": chooser.Err(), "Acquire": s.Acquire(ctx), "AcquireN": s.AcquireN(ctx, 1),
			"Do": s.Do(ctx, func() error { return nil }), "TrySelect": selected,
		} {
			if err != asyncio.ErrSemaphoreClosed {
				t.Errorf("%s: %v", what, err)
			}
		}
		s.Release()
		if s.TryAcquire() || s.Locked() || s.String() != "a Semaphore (2 free, closed)" || s.Stats().InUse != 0 {
			t.Errorf("after the end: %v, locked %v", s, s.Locked())
		}
		if err := s.Acquire(ctx); err != asyncio.ErrSemaphoreClosed {
			t.Errorf("Acquire after a Release: %v", err)
		}
		return nil
	})
}

func TestSemaphore_ofPermits_misuse(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(1)
		if err := s.AcquireN(ctx, 0); err == nil || !strings.Contains(err.Error(), "asyncio: Semaphore.AcquireN: n is 0") {
			t.Errorf("got %v", err)
		}
		mustPanic(t, "asyncio: Semaphore.ReleaseN: n is 0", func() { s.ReleaseN(0) })
		mustPanic(t, "asyncio: Semaphore.TryAcquireN: n is -1", func() { s.TryAcquireN(-1) })
		mustPanic(t, "asyncio: Semaphore.AcquiringN: n is 0", func() { s.AcquiringN(0) })
		mustPanic(t, "asyncio: Semaphore.SetLimit: -1 permits", func() { s.SetLimit(-1) })
		return nil
	})
}

func TestSemaphore_AcquireN_holdersAreKnownInDebugMode(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		s := asyncio.NewSemaphore(3)
		asyncio.Go(ctx, func(ctx context.Context) error {
			if err := s.AcquireN(ctx, 2); err != nil {
				return err
			}
			s.Release()
			return new(asyncio.Event).Wait(ctx)
		}, asyncio.Name("keeper"), asyncio.EagerStart(true))
		return s.AcquireN(ctx, 3)
	}, asyncio.WithVirtualClock(), asyncio.WithDebug(true))
	if err == nil || !strings.Contains(err.Error(), "a Semaphore held by keeper (") {
		t.Errorf("got %v", err)
	}
}

func TestSemaphore_AcquireN_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.NewSemaphore(3)
		allocates(t, "AcquireN and ReleaseN", 0, func() {
			s.AcquireN(ctx, 2)
			s.ReleaseN(2)
		})
		return nil
	})
}
