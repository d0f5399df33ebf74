package asyncio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

type (
	program20 = func(ctx context.Context) error
	group20   = *asyncio.TaskGroup
)

// programs are run many times each by TestSameProgram_makesTheSameSteps.
var programs = map[string]program20{
	"standard contexts, a tree that is cancelled": func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			root, cancel := context.WithCancelCause(ctx)
			for i := range 4 {
				below, cancelBelow := context.WithCancel(context.WithValue(root, valueKey{}, i))
				defer cancelBelow()
				for range 3 {
					leaf, cancelLeaf := context.WithTimeout(below, time.Hour)
					defer cancelLeaf()
					g.Go(func(context.Context) error { asyncio.Enter(leaf, func() error { return nil }); return nil })
					asyncio.Go(leaf, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
				}
			}
			asyncio.Sleep(ctx, time.Second)
			cancel(errors.New("enough"))
			return asyncio.Sleep(ctx, time.Second)
		})
	},
	"standard contexts below timeouts": func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			for i := range 8 {
				g.Go(func(ctx context.Context) error {
					asyncio.Timeout(ctx, time.Duration(i/2)*time.Second, func(ctx context.Context) error {
						standard, cancel := context.WithCancel(context.WithValue(ctx, valueKey{}, i))
						defer cancel()
						return asyncio.Sleep(standard, time.Hour)
					})
					return asyncio.Yield(ctx)
				})
			}
			return nil
		})
	},
	"standard contexts that cancel one another": func(ctx context.Context) error {
		const n = 10
		var below [n]context.Context
		var cancel [n]context.CancelFunc
		for i := range n {
			below[i], cancel[i] = context.WithCancel(struct{ context.Context }{ctx})
			defer cancel[i]()
		}
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			for i := range n {
				task := asyncio.Go(below[i], func(ctx context.Context) error {
					err := asyncio.Sleep(ctx, time.Hour)
					cancel[(i*3+1)%n]()
					cancel[(i*7+2)%n]()
					return err
				})
				g.Go(func(ctx context.Context) error { task.Await(ctx); return nil })
			}
			asyncio.Sleep(ctx, time.Second)
			cancel[0]()
			return nil
		})
	},
	"standard contexts without cancellation, and shields": func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			for i := range 6 {
				child := g.Go(func(ctx context.Context) error {
					err := asyncio.Sleep(ctx, time.Hour)
					asyncio.Sleep(context.WithoutCancel(ctx), time.Duration(i%3)*time.Second)
					return errors.Join(err, asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Second) }))
				})
				asyncio.RunningLoop(ctx).CallLater(time.Minute, func() { child.Cancel() })
			}
			return nil
		})
	},
	"a pool by Map": func(ctx context.Context) error {
		_, err := asyncio.Map(ctx, 3, slices.Values(make([]int, 20)), func(ctx context.Context, _ int) (int, error) {
			return 1, asyncio.Sleep(ctx, time.Second)
		})
		return err
	},
	"a pool by a semaphore": func(ctx context.Context) error {
		s := asyncio.NewSemaphore(3)
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			for i := range 20 {
				g.Go(func(ctx context.Context) error {
					return s.Do(ctx, func() error { return asyncio.Sleep(ctx, time.Duration(i%4)*time.Second) })
				})
			}
			return nil
		})
	},
	"a pool by queues": func(ctx context.Context) error {
		work, done := asyncio.NewQueue[int](2), asyncio.NewPriorityQueue[int](0)
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			for range 3 {
				g.Go(func(ctx context.Context) error {
					for v, err := range work.All(ctx) {
						if err != nil {
							return err
						}
						asyncio.Sleep(ctx, time.Duration(v%3)*time.Second)
						done.Put(ctx, v)
						work.TaskDone()
					}
					return nil
				})
			}
			for i := range 20 {
				if err := work.Put(ctx, i); err != nil {
					return err
				}
			}
			err := work.Join(ctx)
			work.Shutdown(false)
			return err
		})
	},
	"a storm of cancellations": func(ctx context.Context) error {
		random := rand.New(rand.NewPCG(1, 2))
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			var tasks []*asyncio.Task[asyncio.None]
			var lock asyncio.Lock
			for range 60 {
				tasks = append(tasks, g.Go(func(ctx context.Context) error {
					return asyncio.Timeout(ctx, time.Duration(random.IntN(5))*time.Second, func(ctx context.Context) error {
						return lock.Do(ctx, func() error { return asyncio.Sleep(ctx, time.Duration(random.IntN(3))*time.Second) })
					})
				}))
			}
			for range 100 {
				tasks[random.IntN(len(tasks))].Cancel()
				if random.IntN(4) == 0 {
					asyncio.Sleep(ctx, time.Duration(random.IntN(1000))*time.Millisecond)
				}
			}
			return nil
		})
	},
	"groups in groups, of which one fails": func(ctx context.Context) error {
		var nest func(ctx context.Context, depth int) error
		nest = func(ctx context.Context, depth int) error {
			return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
				if depth == 0 {
					asyncio.Sleep(ctx, time.Second)
					return errors.New("boom")
				}
				for i := range 3 {
					g.Go(func(ctx context.Context) error {
						if i == 1 {
							return nest(ctx, depth-1)
						}
						return asyncio.Sleep(ctx, time.Hour)
					})
				}
				return nil
			})
		}
		nest(ctx, 4)
		return nil
	},
	"timers of all kinds for one time": func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var e asyncio.Event
		m := asyncio.NewLimiter(1, time.Second)
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			for range 4 {
				loop.CallLater(time.Second, e.Set)
				g.Go(func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Second) })
				g.Go(func(ctx context.Context) error { asyncio.Timeout(ctx, time.Second, e.Wait); return nil })
				g.Go(m.Acquire)
				asyncio.After(ctx, time.Second, 0).AddDoneCallback(func(*asyncio.Future[int]) { e.Clear() })
				asyncio.Yield(ctx)
			}
			return nil
		})
	},
	"races": func(ctx context.Context) error {
		slow := func(d time.Duration) asyncio.Coroutine[int] {
			return func(ctx context.Context) (int, error) { return int(d), asyncio.Sleep(ctx, d*time.Second) }
		}
		asyncio.Race(ctx, slow(3), slow(1), slow(1), failing[int](errors.New("boom")))
		asyncio.StaggeredRace(ctx, time.Second, slow(3), slow(2), slow(1), slow(5))
		_, err := asyncio.Gather(ctx, slow(1), slow(1), slow(0))
		return err
	},
	"what comes first": func(ctx context.Context) error {
		tasks := make([]*asyncio.Task[int], 12)
		for i := range tasks {
			tasks[i] = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
				return i, asyncio.Sleep(ctx, time.Duration(i*5%4)*time.Second)
			})
		}
		asyncio.Wait(ctx, asyncio.FirstCompleted, tasks...)
		for range asyncio.AsCompleted(ctx, tasks...) {
			asyncio.Yield(ctx)
		}
		return nil
	},
	"a barrier and a condition": func(ctx context.Context) error {
		b, c := asyncio.NewBarrier(3), asyncio.Condition{}
		ready := 0
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			for i := range 9 {
				g.Go(func(ctx context.Context) error {
					asyncio.Sleep(ctx, time.Duration(i%2)*time.Second)
					b.Wait(ctx)
					return c.Do(ctx, func() error {
						ready++
						c.NotifyAll()
						return c.WaitFor(ctx, func() bool { return ready >= 6 })
					})
				})
			}
			return nil
		})
	},
	"limits of rate and of time": func(ctx context.Context) error {
		m := asyncio.NewLimiter(2, time.Second)
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			for i := range 10 {
				g.Go(func(ctx context.Context) error {
					asyncio.WaitFor(ctx, time.Duration(i)*time.Second/2, func(ctx context.Context) (int, error) { return 0, m.AcquireN(ctx, 1+i%2) })
					return nil
				})
			}
			return nil
		})
	},
	"eager tasks": func(ctx context.Context) error {
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			var grow func(ctx context.Context, depth int) error
			grow = func(ctx context.Context, depth int) error {
				for range depth {
					g.Go(func(ctx context.Context) error { return grow(ctx, depth-1) }, asyncio.EagerStart(depth%2 == 0))
				}
				return asyncio.Sleep(ctx, time.Duration(depth)*time.Second)
			}
			return grow(ctx, 4)
		})
	},
	"threads": func(ctx context.Context) error {
		for i := range 5 {
			asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Duration(i)*time.Second) })
			asyncio.Sleep(ctx, time.Second)
			asyncio.ToThread(ctx, func() (int, error) { return i, nil })
		}
		return nil
	},
	"channels": func(ctx context.Context) error {
		ch := make(chan int, 2)
		return asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			g.Go(func(ctx context.Context) error {
				for i := range 10 {
					for len(ch) == cap(ch) {
						asyncio.Sleep(ctx, time.Second)
					}
					asyncio.Send(ctx, ch, i)
				}
				return nil
			})
			for range 10 {
				for len(ch) == 0 {
					asyncio.Sleep(ctx, time.Second)
				}
				asyncio.Recv(ctx, ch)
			}
			return nil
		})
	},
	"failures and panics": func(ctx context.Context) error {
		for i := range 6 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				asyncio.Sleep(ctx, time.Duration(i%2)*time.Second)
				if i%3 == 0 {
					panic(i)
				}
				return fmt.Errorf("boom %d", i)
			})
			asyncio.RunningLoop(ctx).CallLater(time.Second, func() { panic("in a callback") })
		}
		return asyncio.Sleep(ctx, 2*time.Second)
	},
	"tasks that are left behind": func(ctx context.Context) error {
		var e asyncio.Event
		for i := range 10 {
			asyncio.Go(ctx, func(ctx context.Context) error {
				err := e.Wait(ctx)
				asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Duration(i%3)*time.Second) })
				return err
			})
		}
		return asyncio.Sleep(ctx, time.Second)
	},
	"a deadlock": func(ctx context.Context) error {
		var a, b asyncio.Lock
		both := func(first, second *asyncio.Lock) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				return first.Do(ctx, func() error {
					asyncio.Yield(ctx)
					return second.Do(ctx, func() error { return nil })
				})
			}
		}
		asyncio.Group(ctx, func(ctx context.Context, g group20) error {
			g.Go(both(&a, &b))
			g.Go(both(&b, &a))
			return nil
		})
		return nil
	},
}

// runsEnv says how often each program is run. The default is for every day.
const runsEnv = "ASYNCIO_DETERMINISM_RUNS"

func TestSameProgram_makesTheSameSteps(t *testing.T) {
	runs := 20
	if v := os.Getenv(runsEnv); v != "" {
		var err error
		if runs, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	if len(programs) < 20 {
		t.Errorf("there are %d programs", len(programs))
	}
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		t.Run(name, func(t *testing.T) {
			for _, seed := range []uint64{0, 1} { // in the usual order, and in one drawn from a seed
				sameSteps(t, programs[name], seed, runs/2)
			}
		})
	}
}

// sameSteps runs a program many times, with all that may make a difference and must
// not: one processor and several, collections of garbage, other goroutines.
func sameSteps(t *testing.T, main program20, seed uint64, runs int) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first []byte
	for i := range runs {
		runtime.GOMAXPROCS([]int{1, 2, 4}[i%3])
		stop := disturb(i%2 == 1)
		var b bytes.Buffer
		trace := asyncio.NewTrace(&b)
		asyncio.Run(context.Background(), main, asyncio.WithVirtualClock(), asyncio.WithTrace(trace), asyncio.WithChaos(seed),
			asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) {
				text, _, _ := strings.Cut(info.Err.Error(), "\n") // a panic's stack has addresses
				fmt.Fprintf(&b, "%s: %s: %s\n", info.Task, info.Message, text)
			}))
		stop()
		if trace.Steps() < 5 {
			t.Fatalf("only %d steps:\n%s", trace.Steps(), &b)
		}
		if first == nil {
			first = b.Bytes()
		} else if !bytes.Equal(first, b.Bytes()) {
			t.Fatalf("seed %d, run %d: %s", seed, i, firstDifference(string(first), b.String()))
		}
	}
}

// disturb lets the collector and another goroutine run beside the loop.
func disturb(yes bool) (stop func()) {
	if !yes {
		return func() {}
	}
	var over atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !over.Load() {
			runtime.GC()
			runtime.Gosched()
		}
	}()
	return func() { over.Store(true); <-done }
}

func firstDifference(a, b string) string {
	as, bs := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			from := max(0, i-5)
			return fmt.Sprintf("the traces part in line %d:\n%sone goes on\n%sthe other\n%s", i+1,
				strings.Join(as[from:i], ""), strings.Join(as[i:min(i+5, len(as))], ""), strings.Join(bs[i:min(i+5, len(bs))], ""))
		}
	}
	return fmt.Sprintf("one trace has %d lines, the other %d", len(as), len(bs))
}
