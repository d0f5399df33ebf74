package asyncio_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// conformance: threads-01 threads-02 threads-03 executor-01
func TestToThread_runsOnceElsewhereAndReturnsItsResult(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		calls := 0
		boom := errors.New("boom")
		v, err := asyncio.ToThread(ctx, func() (int, error) {
			calls++
			if loop.OnLoop() {
				t.Error("the function ran on the loop")
			}
			return 42, boom
		})
		if v != 42 || err != boom || calls != 1 {
			t.Errorf("got %d, %v after %d calls", v, err, calls)
		}
		return nil
	})
}

// conformance: threads-04
func TestToThread_severalRunAtTheSameTime_whileTheLoopGoesOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		meet := make(chan int)
		give := func() (int, error) { meet <- 1; return 1, nil }
		take := func() (int, error) { return <-meet, nil }
		asThread := func(fn func() (int, error)) asyncio.Coroutine[int] {
			return func(ctx context.Context) (int, error) { return asyncio.ToThread(ctx, fn) }
		}
		turns := 0
		other := asyncio.Go(ctx, func(ctx context.Context) error {
			for {
				if err := asyncio.Yield(ctx); err != nil {
					return err
				}
				turns++
			}
		})
		got, err := asyncio.Gather(ctx, asThread(give), asThread(take))
		if err != nil || got[0]+got[1] != 2 || turns == 0 {
			t.Errorf("got %v, %v; the loop took %d turns", got, err, turns)
		}
		other.Cancel()
		return nil
	})
}

// conformance: threads-06
func TestToThread_seesTheValuesOfTheContextThatItIsGiven(t *testing.T) {
	type key struct{}
	run(t, func(ctx context.Context) error {
		ctx = context.WithValue(ctx, key{}, "value")
		v, err := asyncio.ToThread(ctx, func() (any, error) { return ctx.Value(key{}), nil })
		if v != "value" {
			t.Errorf("got %v", v)
		}
		return err
	})
}

func TestToThread_aPanicOrGoexitOfTheFunction_isAnError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		_, err := asyncio.ToThread(ctx, func() (int, error) { panic("ouch") })
		var p *asyncio.PanicError
		if !errors.As(err, &p) || p.Value != "ouch" || !strings.Contains(string(p.Stack), "thread_test.go") {
			t.Errorf("after a panic: %v", err)
		}
		_, err = asyncio.ToThread(ctx, func() (int, error) { runtime.Goexit(); return 0, nil })
		if err != asyncio.ErrGoexit {
			t.Errorf("after Goexit: %v", err)
		}
		return nil
	})
}

func TestToThread_cancelled_returnsAtOnceAndTheFunctionRunsOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		limit := asyncio.NewThreadLimiter(1)
		var begun atomic.Bool
		goOn, ended := make(chan bool), make(chan bool)
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			return asyncio.ToThreadIn(ctx, limit, func() (int, error) {
				begun.Store(true)
				<-goOn
				defer close(ended)
				return 1, nil
			})
		})
		until(ctx, begun.Load)
		task.Cancel()
		if v, err := task.Await(ctx); v != 0 || err != context.Canceled {
			t.Errorf("got %d, %v", v, err)
		}
		_, err := asyncio.ToThreadIn(ctx, limit, func() (int, error) { close(goOn); return 0, nil }) // in its place
		<-ended
		return err
	})
}

func TestToThread_abandoned_doesNotHoldTheVirtualClock(t *testing.T) {
	goOn := make(chan bool)
	defer close(goOn)
	run(t, func(ctx context.Context) error {
		abandonedCall(ctx, nil, goOn)
		return asyncio.Sleep(ctx, time.Hour)
	})
}

func TestToThread_onAVirtualClock_timeWaitsForTheThread(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		return asyncio.Timeout(ctx, time.Nanosecond, func(ctx context.Context) error {
			_, err := asyncio.ToThread(ctx, func() (int, error) {
				for range 1000 {
					runtime.Gosched()
				}
				return 0, nil
			})
			if loop.Time() != 0 {
				t.Errorf("the time is %v", loop.Time())
			}
			return err
		})
	})
}

func TestToThread_panicsAfterItsTaskWasCancelled_isReported(t *testing.T) {
	for _, sameTurn := range []bool{false, true} {
		var reported []asyncio.ExceptionInfo
		run(t, func(ctx context.Context) error {
			var begun atomic.Bool
			goOn := make(chan bool)
			goroutines := 0
			task := asyncio.Go(ctx, func(ctx context.Context) error {
				goroutines = runtime.NumGoroutine()
				_, err := asyncio.ToThread(ctx, func() (int, error) {
					begun.Store(true)
					<-goOn
					panic("ouch")
				})
				return err
			})
			until(ctx, begun.Load)
			loop := asyncio.RunningLoop(ctx)
			if sameTurn {
				// The loop learns of both before the task has had a turn.
				for range 100 {
					loop.CallSoon(func() {
						for runtime.NumGoroutine() > goroutines {
							runtime.Gosched() // the thread has yet to end
						}
					})
				}
				task.Cancel()
				close(goOn)
			} else {
				task.Cancel()
				task.Await(ctx)
				close(goOn)
			}
			for len(reported) == 0 && asyncio.Yield(ctx) == nil {
				runtime.Gosched()
			}
			return nil
		}, asyncio.WithExceptionHandler(func(info asyncio.ExceptionInfo) { reported = append(reported, info) }))
		var p *asyncio.PanicError
		if len(reported) != 1 || !errors.As(reported[0].Err, &p) || p.Value != "ouch" {
			t.Errorf("sameTurn %v: reported %v", sameTurn, reported)
		}
	}
}

func TestThreadLimiter_boundsHowManyRunAtOnce(t *testing.T) {
	mustPanic(t, "asyncio: NewThreadLimiter: the limit is 0", func() { asyncio.NewThreadLimiter(0) })
	run(t, func(ctx context.Context) error {
		var running, most atomic.Int32
		limit := asyncio.NewThreadLimiter(3)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 50 {
				g.Go(func(ctx context.Context) error {
					_, err := asyncio.ToThreadIn(ctx, limit, func() (int, error) {
						n := running.Add(1)
						for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
						}
						runtime.Gosched()
						running.Add(-1)
						if n > 3 {
							t.Errorf("%d run at once", n)
						}
						return 0, nil
					})
					return err
				})
			}
			return nil
		})
	})
}

func TestToThread_theLoopsOwnLimit(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var running atomic.Int32
		call := func(ctx context.Context) (int32, error) {
			return asyncio.ToThread(ctx, func() (int32, error) {
				defer running.Add(-1)
				runtime.Gosched()
				return running.Add(1), nil
			})
		}
		got, err := asyncio.Gather(ctx, call, call, call)
		if got[0] != 1 || got[1] != 1 || got[2] != 1 {
			t.Errorf("%v ran at once, want 1 each time", got)
		}
		return err
	}, asyncio.WithThreadLimit(1))
}

func TestToThread_underADoneContext_startsNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		_, err := asyncio.ToThread(done, func() (int, error) { t.Error("the function ran"); return 0, nil })
		if err != context.Canceled {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

// conformance: executor-02
func TestToThread_endsAfterTheLoop_itsResultIsDropped(t *testing.T) {
	goOn, ended := make(chan bool), make(chan bool)
	run(t, func(ctx context.Context) error {
		asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := asyncio.ToThread(ctx, func() (bool, error) {
				defer close(ended)
				return <-goOn, nil
			})
			return err
		}, asyncio.EagerStart(true))
		return nil
	})
	close(goOn)
	<-ended
}
