package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestTrace_saysWhatRanAndWhyAndWhatItWaitsFor(t *testing.T) {
	var b strings.Builder
	trace := asyncio.NewTrace(&b)
	run(t, func(ctx context.Context) error {
		var lock asyncio.Lock
		lock.Acquire(ctx)
		asyncio.RunningLoop(ctx).CallLater(2*time.Second, traceTick)
		asyncio.Go(ctx, lock.Acquire, asyncio.Name("other"))
		asyncio.Sleep(ctx, time.Second)
		lock.Release()
		asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error { return asyncio.Sleep(ctx, 2*time.Hour) })
		return nil
	}, asyncio.WithTrace(trace), fifo)
	want := `1	0s	task main starts	ready since step 0	waits for a timer
2	0s	task other starts	ready since step 1	waits for a Lock held by main
3	1s	task main goes on	ready by a timer	waits for a timer
4	1s	task other goes on	ready since step 3	finished
5	2s	timer github.com/go-asyncio/asyncio_test.traceTick	ready by a timer
6	1h0m1s	timeout of main	ready by a timer
7	1h0m1s	task main goes on: asyncio: timed out after 1h0m0s	ready since step 6	finished
`
	lines, hash, _ := strings.Cut(b.String(), "8\t") // the callback by which the run ends
	if lines != want {
		t.Errorf("got\n%swant\n%s", lines, want)
	}
	if want := fmt.Sprintf("hash %016x of 8 steps\n", trace.Hash()); !strings.HasSuffix(hash, want) || trace.Steps() != 8 || trace.Err() != nil {
		t.Errorf("got %q, %d steps, %v; want %q", hash, trace.Steps(), trace.Err(), want)
	}
}

func traceTick() {}

// failing is a writer that takes so many lines.
type failsAfter int

func (f *failsAfter) Write(b []byte) (int, error) {
	if *f--; *f < 0 {
		return 0, errors.New("the disk is full")
	}
	return len(b), nil
}

func TestTrace_writerFails_theHashGoesOn(t *testing.T) {
	main := func(ctx context.Context) error {
		for range 5 {
			asyncio.Yield(ctx)
		}
		return nil
	}
	whole, full := asyncio.NewTrace(nil), failsAfter(2)
	torn := asyncio.NewTrace(&full)
	run(t, main, asyncio.WithTrace(whole), fifo)
	run(t, main, asyncio.WithTrace(torn), fifo)
	if whole.Hash() != torn.Hash() || whole.Steps() != torn.Steps() || whole.Err() != nil || torn.Err() == nil {
		t.Errorf("%x %d %v; %x %d %v", whole.Hash(), whole.Steps(), whole.Err(), torn.Hash(), torn.Steps(), torn.Err())
	}
}

// scheduleOf runs five tasks that take three steps each, and returns their order.
func scheduleOf(t *testing.T, opts ...asyncio.Option) (order []int) {
	run(t, func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			var open asyncio.Event
			open.Set()
			for i := range 5 {
				g.Go(func(ctx context.Context) error {
					for range 3 {
						order = append(order, i)
						open.Wait(ctx)
					}
					return nil
				})
			}
			return nil
		})
	}, opts...)
	return order
}

func TestWithChaos_aSeedIsAnOrder(t *testing.T) {
	orders := map[string]bool{}
	for seed := range uint64(50) {
		first, second := scheduleOf(t, asyncio.WithChaos(seed)), scheduleOf(t, asyncio.WithChaos(seed))
		if !slices.Equal(first, second) {
			t.Fatalf("seed %d: %v and then %v", seed, first, second)
		}
		orders[fmt.Sprint(first)] = true
	}
	if len(orders) < 45 {
		t.Errorf("50 seeds give %d orders", len(orders))
	}
	if plain := scheduleOf(t, asyncio.WithChaos(0)); !slices.IsSorted(plain) {
		t.Errorf("without chaos: %v", plain)
	}
}

// stirs are calls that may wait and do not need to.
var stirs = map[string]func(ctx context.Context) error{
	"Lock.Acquire":      new(asyncio.Lock).Acquire,
	"Semaphore.Acquire": asyncio.NewSemaphore(1).Acquire,
	"Event.Wait":        func(ctx context.Context) error { var e asyncio.Event; e.Set(); return e.Wait(ctx) },
	"Queue.Put":         func(ctx context.Context) error { return asyncio.NewQueue[int](1).Put(ctx, 1) },
	"Queue.Get": func(ctx context.Context) error {
		q := asyncio.NewQueue[int](1)
		q.TryPut(1)
		_, err := q.Get(ctx)
		return err
	},
	"Queue.Join":      func(ctx context.Context) error { return asyncio.NewQueue[int](1).Join(ctx) },
	"Barrier.Wait":    func(ctx context.Context) error { _, err := asyncio.NewBarrier(1).Wait(ctx); return err },
	"Limiter.Acquire": asyncio.NewLimiter(1, time.Second).Acquire,
	"Future.Await": func(ctx context.Context) error {
		f := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		f.SetResult(1)
		_, err := f.Await(ctx)
		return err
	},
	"Wait": func(ctx context.Context) error {
		f := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		f.SetResult(1)
		_, _, err := asyncio.Wait(ctx, asyncio.AllCompleted, f)
		return err
	},
	"AsCompleted": func(ctx context.Context) error {
		f := asyncio.NewFuture[int](asyncio.RunningLoop(ctx))
		f.SetResult(1)
		for range asyncio.AsCompleted(ctx, f) {
		}
		return nil
	},
	"Recv": func(ctx context.Context) error {
		ch := make(chan int, 1)
		ch <- 1
		_, _, err := asyncio.Recv(ctx, ch)
		return err
	},
	"Send": func(ctx context.Context) error { return asyncio.Send(ctx, make(chan int, 1), 1) },
}

func TestWithChaos_callsThatMayWait_yield(t *testing.T) {
	for name, call := range stirs {
		t.Run(name, func(t *testing.T) {
			others := func(seed uint64) (n int) {
				run(t, func(ctx context.Context) error {
					asyncio.Go(ctx, func(context.Context) error { n++; return nil })
					if err := call(ctx); err != nil {
						t.Error(err)
					}
					n = -n // what ran by now counts
					return nil
				}, asyncio.WithChaos(seed))
				return -min(n, 0)
			}
			if name != "Lock.Acquire" && name != "Semaphore.Acquire" && name != "Limiter.Acquire" { // those are used up
				if others(0) != 0 {
					t.Error("it yields without chaos")
				}
			}
			ran := 0
			for seed := range uint64(20) {
				switch name {
				case "Lock.Acquire":
					call = new(asyncio.Lock).Acquire
				case "Semaphore.Acquire":
					call = asyncio.NewSemaphore(1).Acquire
				case "Limiter.Acquire":
					call = asyncio.NewLimiter(1, time.Second).Acquire
				}
				ran += others(seed + 1)
			}
			if ran == 0 || ran == 20 {
				t.Errorf("of 20 seeds, others ran in %d", ran)
			}
		})
	}
}

// A value that is shared across a wait, as one scratch buffer for several tasks.
func TestWithChaos_findsTheRaceThatTheUsualOrderHides(t *testing.T) {
	lost := func(opts ...asyncio.Option) bool {
		total := 0
		run(t, func(ctx context.Context) error {
			var lock asyncio.Lock // held by nobody else, so Acquire never waits
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for range 3 {
					g.Go(func(ctx context.Context) error {
						read := total
						if err := lock.Do(ctx, func() error { return nil }); err != nil {
							return err
						}
						total = read + 1
						return nil
					})
				}
				return nil
			})
		}, opts...)
		return total != 3
	}
	if lost(fifo) {
		t.Error("found without chaos")
	}
	found := 0
	for seed := range uint64(20) {
		if lost(asyncio.WithChaos(seed + 1)) {
			found++
		}
	}
	if found < 5 {
		t.Errorf("%d of 20 seeds find it", found)
	}
}

func TestWithChaos_promisesAreKept(t *testing.T) {
	for seed := range uint64(100) {
		run(t, func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			var calls []int
			for i := range 5 {
				loop.CallSoon(func() { calls = append(calls, i) })
				loop.CallLater(time.Second, func() { calls = append(calls, 5+i) })
				asyncio.Go(ctx, asyncio.Yield)
			}
			asyncio.Sleep(ctx, 2*time.Second)
			if len(calls) != 10 || !slices.IsSorted(calls) {
				t.Errorf("seed %d: callbacks: %v", seed, calls)
			}

			ran := 0
			for range 100 { // more than are drawn from
				asyncio.Go(ctx, func(context.Context) error { ran++; return nil })
			}
			if asyncio.Yield(ctx); ran != 100 {
				t.Errorf("seed %d: Yield let %d of 100 have a turn", seed, ran)
			}

			var lock asyncio.Lock
			asyncio.Go(ctx, func(context.Context) error { ran++; return nil })
			eager := asyncio.Go(ctx, func(ctx context.Context) error {
				return lock.Do(ctx, func() error { return nil })
			}, asyncio.EagerStart(true))
			if !eager.Done() || ran != 100 {
				t.Errorf("seed %d: an eager task that need not wait: %v, and %d others ran", seed, eager, ran-100)
			}

			lock.Acquire(ctx)
			var line []string
			for i := range 5 {
				asyncio.Go(ctx, func(ctx context.Context) error {
					line = append(line, asyncio.CurrentTask(ctx).Name())
					return lock.Do(ctx, func() error { line = append(line, asyncio.CurrentTask(ctx).Name()); return nil })
				}, asyncio.Name(fmt.Sprint(i)), asyncio.EagerStart(true))
			}
			lock.Release()
			asyncio.Sleep(ctx, time.Second)
			if !slices.Equal(line[:5], line[5:]) {
				t.Errorf("seed %d: came in the order %v, were served %v", seed, line[:5], line[5:])
			}
			return nil
		}, asyncio.WithChaos(seed+1))
	}
}

func init() {
	children["chaos"] = func() {
		for range 2 {
			asyncio.Run(context.Background(), func(ctx context.Context) error { return asyncio.Yield(ctx) }, asyncio.WithVirtualClock(), asyncio.WithWatchdog(0))
		}
	}
}

func TestChaosAndTrace_byTheEnvironment(t *testing.T) {
	child := func(env ...string) string {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(append(os.Environ(), childEnv+"=chaos"), env...)
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		return string(out)
	}
	if out := child("ASYNCIO_CHAOS=random"); strings.Count(out, "ASYNCIO_CHAOS=") != 1 {
		t.Errorf("a random seed is printed once; got %q", out)
	}
	if out := child("ASYNCIO_CHAOS=7"); out != "" {
		t.Errorf("got %q", out)
	}
	if out := child("ASYNCIO_CHAOS=seven"); !strings.Contains(out, `ASYNCIO_CHAOS="seven": it must be a number, or random`) {
		t.Errorf("got %q", out)
	}
	file := filepath.Join(t.TempDir(), "trace")
	child("ASYNCIO_TRACE=" + file)
	got, err := os.ReadFile(file)
	traces := strings.SplitAfterN(string(got), "steps\n", 2)
	if err != nil || len(traces) != 2 || traces[0] != traces[1] || !strings.HasPrefix(traces[0], "1\t0s\ttask main starts") {
		t.Errorf("two equal runs: %v\n%s", err, got)
	}
}
