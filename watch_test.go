package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestWatch_aWatcher_getsTheLastValueOnly(t *testing.T) {
	run(t, func(ctx context.Context) error {
		w := asyncio.NewWatch("a")
		r := w.Subscribe()
		loop := quietLoop(ctx)
		loop.CallLater(time.Second, func() { w.Set("b"); w.Set("c") })
		if v, err := r.Changed(ctx); v != "c" || err != nil || loop.Time() != time.Second {
			t.Errorf("got %q, %v at %v", v, err, loop.Time())
		}
		w.Set("d")
		w.Set("c") // it was set, though to what it was
		if v, err := r.Changed(ctx); v != "c" || err != nil {
			t.Errorf("got %q, %v", v, err)
		}
		w.Set("e")
		if v := r.Get(); v != "e" {
			t.Errorf("Get: %q", v)
		}
		err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
			v, err := r.Changed(ctx)
			if err == nil {
				t.Errorf("a value that Get has seen comes again: %q", v)
			}
			return err
		})
		wantErr(t, "Changed", err, context.DeadlineExceeded)
		return nil
	})
}

func TestWatch_update_tellsNobodyIfNothingHasChanged(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var w asyncio.Watch[int]
		r := w.Subscribe()
		woken := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := r.Changed(ctx)
			return err
		})
		raise := func(to int) {
			wantErr(t, "Update", w.Update(func(v *int) bool {
				higher := to > *v
				*v = max(*v, to)
				return higher
			}), nil)
			letWait(t, ctx)
		}
		letWait(t, ctx)
		if raise(-5); woken.Done() || w.Get() != 0 || w.String() != "a Watch (0, 1 waits)" {
			t.Errorf("woken %v, %s", woken.Done(), &w)
		}
		if raise(5); !woken.Done() || w.Get() != 5 {
			t.Errorf("woken %v, %s", woken.Done(), &w)
		}
		return nil
	})
}

func TestWatch_waitFor_waitsForTheValueThatIsWanted(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var w asyncio.Watch[int]
		loop := quietLoop(ctx)
		for n := range 5 {
			loop.CallAt(time.Duration(n)*time.Second, func() { w.Set(n) })
		}
		v, err := w.WaitFor(ctx, func(v int) bool { return v >= 3 })
		if v != 3 || err != nil || loop.Time() != 3*time.Second {
			t.Errorf("got %d, %v at %v", v, err, loop.Time())
		}
		over, cancel := asyncio.WithCancel(ctx)
		stop := errors.New("stop")
		cancel(stop)
		if v, err := w.WaitFor(over, func(v int) bool { return v == 3 }); v != 3 || err != nil {
			t.Errorf("what is so already: %d, %v", v, err)
		}
		_, err = w.WaitFor(over, func(v int) bool { return v > 3 })
		wantErr(t, "what is not", err, stop)
		loop.CallLater(time.Minute, w.Close)
		_, err = w.WaitFor(ctx, func(v int) bool { return v > 100 })
		wantErr(t, "what will never be", err, asyncio.ErrWatchClosed)
		return nil
	})
}

func TestWatch_close_theLastValueIsStillSeen(t *testing.T) {
	run(t, func(ctx context.Context) error {
		w := asyncio.NewWatch(0)
		quick, late := w.Subscribe(), w.Subscribe()
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			var log []string
			for v, err := range quick.All(ctx) {
				if err != nil {
					return err
				}
				log = append(log, fmt.Sprint(v))
			}
			wantLog(t, "All", log, "0, 1, 2")
			return nil
		})
		letWait(t, ctx)
		w.Set(1)
		letWait(t, ctx)
		w.Set(2)
		w.Close()
		w.Close()
		_, err := task.Await(ctx)
		wantErr(t, "All", err, nil)
		wantErr(t, "Set", w.Set(3), asyncio.ErrWatchClosed)
		if v, err := late.Changed(ctx); v != 2 || err != nil {
			t.Errorf("who comes late gets %d, %v", v, err)
		}
		_, err = late.Changed(ctx)
		if wantErr(t, "Changed", err, asyncio.ErrWatchClosed); w.Get() != 2 {
			t.Errorf("%s", w)
		}
		return nil
	})
}

func TestWatch_cancelled_hasSeenNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		w := asyncio.NewWatch(0)
		r, stop := w.Subscribe(), errors.New("stop")
		over, cancel := asyncio.WithCancel(ctx)
		cancel(stop)
		w.Set(1)
		others := 0
		asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
		_, err := r.Changed(over)
		if wantErr(t, "under a done context", err, stop); others != 1 {
			t.Error("it has not yielded once")
		}
		if v, err := r.Changed(ctx); v != 1 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return r.Changed(ctx) })
		letWait(t, ctx)
		w.Set(2)
		task.Cancel(stop)
		if v, err := task.Await(ctx); v != 2 || err != nil {
			t.Errorf("cancelled after Set: %d, %v", v, err)
		}
		var last error
		for _, err := range r.All(over) {
			last = err
		}
		wantErr(t, "All", last, stop)
		return nil
	})
}

func TestWatch_inASelect(t *testing.T) {
	run(t, func(ctx context.Context) error {
		w := asyncio.NewWatch("a")
		r := w.Subscribe()
		loop := quietLoop(ctx)
		loop.CallLater(time.Second, func() { w.Set("b") })
		loop.CallLater(2*time.Second, w.Close)
		chosen, err := asyncio.Select(ctx, (*asyncio.Watcher[string])(nil), asyncio.Sleeping(time.Minute), r)
		if chosen != r || err != nil || r.Get() != "b" {
			t.Errorf("chose %v, %v, %q", chosen, err, r.Get())
		}
		chosen, err = asyncio.Select(ctx, r)
		if wantErr(t, "Select", err, asyncio.ErrWatchClosed); chosen != r {
			t.Errorf("chose %v", chosen)
		}
		return nil
	})
}

func TestWatch_misuse_isNamed(t *testing.T) {
	run(t, func(ctx context.Context) error {
		w := asyncio.NewWatch(0)
		r := w.Subscribe()
		elsewhere(func() {
			mustPanic(t, "Watch.Update", func() { w.Set(1) })
			mustPanic(t, "Watch.Close", w.Close)
			_, err := r.Changed(ctx)
			wantErr(t, "Changed", err, asyncio.ErrWrongGoroutine)
			onAnotherLoop(t, func(ctx context.Context) error { _, err := r.Changed(ctx); return err })
		})
		return nil
	})
}

func TestWatch_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		w := asyncio.NewWatch([4]int{})
		r := w.Subscribe()
		allocates(t, "Set and Changed", 0, func() { w.Set([4]int{1}); r.Changed(ctx) })
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for asyncio.Yield(ctx) == nil {
				w.Set([4]int{})
			}
			return nil
		})
		allocates(t, "a wait in Changed", 0, func() { r.Changed(ctx) })
		other.Cancel()
		return nil
	})
}

// Values that are set, seen and given up at random: a watcher gets the value there
// is, never one that it has seen, and never waits for one that it has not.
func TestWatch_atRandom(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var w asyncio.Watch[int]
		closed := false
		unseen := make([]int, 4) // since when each watcher has waited for what is there; -1: it does not wait
		fault := func(format string, args ...any) { t.Errorf("seed %d: %s", seed, fmt.Sprintf(format, args...)) }
		pause := func(most int) time.Duration { return time.Duration(rnd.IntN(most)) * time.Microsecond }
		watcher := func(i int) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				r, seen := w.Subscribe(), w.Get()
				for {
					if unseen[i] = -1; rnd.IntN(3) == 0 {
						asyncio.Sleep(ctx, pause(30))
					}
					unseen[i] = seen
					err := asyncio.Timeout(ctx, pause(20), func(ctx context.Context) error {
						if rnd.IntN(2) == 0 {
							v, err := r.Changed(ctx)
							if err == nil && v != w.Get() {
								fault("got %d, the value is %d", v, w.Get())
							}
							return err
						}
						_, err := asyncio.Select(ctx, r)
						return err
					})
					switch {
					case err == asyncio.ErrWatchClosed:
						if !closed || seen != w.Get() {
							fault("closed %v, at %d of %d", closed, seen, w.Get())
						}
						return nil
					case err == nil:
						if w.Get() == seen {
							fault("%d comes again", seen)
						}
						seen = w.Get()
					case !errors.Is(err, context.DeadlineExceeded):
						fault("%v", err)
					}
				}
			}
		}
		run(t, func(ctx context.Context) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for i := range unseen {
					g.Go(watcher(i))
				}
				for range 60 {
					for range rnd.IntN(3) {
						w.Set(w.Get() + 1)
					}
					asyncio.Sleep(ctx, time.Nanosecond+pause(10))
					letWait(t, ctx)
					for i, seen := range unseen {
						if seen >= 0 && seen != w.Get() {
							fault("watcher %d waits with %d, and the value is %d", i, seen, w.Get())
						}
					}
				}
				closed = true
				w.Close()
				return nil
			})
		}, asyncio.WithChaos(seed))
		if t.Failed() {
			return
		}
	}
}
