package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// outside runs fn on a goroutine of its own, and returns on the loop when it has
// ended. fn must not use the loop but through what is meant for other goroutines.
func outside(ctx context.Context, fn func()) error {
	_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) { fn(); return asyncio.None{}, nil })
	return err
}

// conformance: threadsafe-06 threadsafe-07
func TestRunThreadsafe_theGoroutineGetsTheResultOrTheError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		boom := errors.New("boom")
		return outside(ctx, func() {
			v, err := asyncio.RunThreadsafe(loop, func(ctx context.Context) (int, error) {
				if !loop.OnLoop() {
					t.Error("not on the loop")
				}
				return 42, asyncio.Yield(ctx)
			}).Wait(context.Background())
			if v != 42 || err != nil {
				t.Errorf("got %d, %v", v, err)
			}
			v, err = asyncio.RunThreadsafe(loop, func(ctx context.Context) (int, error) { return 1, boom }).Wait(context.Background())
			if v != 1 || err != boom {
				t.Errorf("got %d, %v", v, err)
			}
			_, err = asyncio.RunThreadsafe(loop, func(ctx context.Context) (int, error) { panic("ouch") }).Wait(context.Background())
			var p *asyncio.PanicError
			if !errors.As(err, &p) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// conformance: threadsafe-04 threadsafe-05
func TestRunThreadsafe_fromManyGoroutinesAtOnce_eachGetsItsOwn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		return outside(ctx, func() {
			var all sync.WaitGroup
			for g := range 20 {
				all.Go(func() {
					for i := range 50 {
						want := fmt.Errorf("error %d of %d", i, g)
						v, err := asyncio.RunThreadsafe(loop, func(ctx context.Context) (int, error) {
							asyncio.Yield(ctx)
							return g*1000 + i, want
						}).Wait(context.Background())
						if v != g*1000+i || err != want {
							t.Errorf("got %d, %v, want %d, %v", v, err, g*1000+i, want)
						}
					}
				})
			}
			all.Wait()
		})
	})
}

// conformance: threadsafe-08
func TestRunThreadsafe_timeoutOfTheGoroutine_thenCancel_endsTheTask(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var ended error
		err := outside(ctx, func() {
			s := asyncio.RunThreadsafe(loop, func(ctx context.Context) (int, error) {
				var never asyncio.Event
				ended = never.Wait(ctx)
				return 0, ended
			})
			short, cancel := context.WithTimeout(context.Background(), time.Microsecond)
			defer cancel()
			if _, err := s.Wait(short); err != context.DeadlineExceeded {
				t.Errorf("Wait returned %v", err)
			}
			select {
			case <-s.Done():
				t.Error("the task was cancelled by the end of the wait")
			default:
			}
			s.Cancel()
			s.Cancel()
			<-s.Done()
			if _, err := s.Wait(short); err != context.Canceled {
				t.Errorf("Wait after Cancel returned %v; what is there must not be lost to a done context", err)
			}
		})
		if ended != context.Canceled {
			t.Errorf("the task's wait returned %v", ended)
		}
		return err
	})
}

// conformance: threadsafe-09
func TestRunThreadsafe_taskCancelledOnTheLoop_theGoroutineIsTold(t *testing.T) {
	boom := errors.New("boom")
	var got error
	done := make(chan bool)
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var begun asyncio.Event
		go func() {
			defer close(done)
			_, got = asyncio.RunThreadsafe(loop, func(ctx context.Context) (int, error) {
				begun.Set()
				return 0, asyncio.Sleep(ctx, time.Hour)
			}).Wait(context.Background())
		}()
		begun.Wait(ctx)
		return boom // the end of main cancels what is left
	})
	<-done
	if err != boom || got != context.Canceled {
		t.Errorf("Run %v, the submission %v", err, got)
	}
}

// conformance: loop-threadsafe-03
func TestRunThreadsafe_cancelledBeforeItStarts_startsWithACancelledContext(t *testing.T) {
	loop := clockLoop(t)
	s := asyncio.RunThreadsafe(loop, func(ctx context.Context) (error, error) { return ctx.Err(), nil })
	s.Cancel()
	runAll(loop)
	if seen, err := s.Wait(context.Background()); seen != context.Canceled || err != nil {
		t.Errorf("the task saw %v and returned %v", seen, err)
	}
}

func TestSubmission_waitOnTheLoop_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.RunThreadsafe(asyncio.RunningLoop(ctx), func(ctx context.Context) (int, error) { return 1, nil })
		if _, err := s.Wait(ctx); err == nil || !strings.Contains(err.Error(), "asyncio: Submission.Wait: called on the event loop") {
			t.Errorf("got %v", err)
		}
		for {
			select {
			case <-s.Done():
				return nil
			default:
				asyncio.Yield(ctx)
			}
		}
	})
}

// conformance: loop-27 loop-28
func TestCallSoonThreadsafe_wakesTheLoopAndKeepsTheOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		var order []int
		var last asyncio.Event
		for i := range 3 {
			loop.CallSoonThreadsafe(func() { order = append(order, i) })
		}
		go func() {
			for i := 3; i < 1000; i++ {
				loop.CallSoonThreadsafe(func() {
					if !loop.OnLoop() {
						t.Error("not on the loop")
					}
					order = append(order, i)
				})
				if i%100 == 0 {
					runtime.Gosched() // let the loop fall asleep now and then
				}
			}
			loop.CallSoonThreadsafe(last.Set)
		}()
		err := last.Wait(ctx)
		for i, v := range order {
			if v != i {
				t.Errorf("call %d came as number %d", v, i)
				break
			}
		}
		if len(order) != 1000 {
			t.Errorf("%d calls came, want 1000", len(order))
		}
		return err
	})
}

// Many goroutines call in while the loop sleeps, works and ends. What was
// accepted runs, once, in order; what was not says so.
func TestCallSoonThreadsafe_untilTheLoopEnds_nothingAcceptedIsLost(t *testing.T) {
	for range 20 {
		var accepted, ran [8]atomic.Int64
		var all sync.WaitGroup
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			for g := range accepted {
				all.Go(func() {
					for i := int64(0); ; i++ {
						err := loop.CallSoonThreadsafe(func() {
							if ran[g].Add(1) != i+1 {
								t.Error("out of order")
							}
						})
						if err != nil {
							if !errors.Is(err, asyncio.ErrLoopClosed) {
								t.Errorf("got %v", err)
							}
							return
						}
						accepted[g].Add(1)
						if i%16 == 0 {
							runtime.Gosched()
						}
					}
				})
			}
			return asyncio.Sleep(ctx, 2*time.Millisecond)
		}, fifo) // under chaos a step takes longer than they need to call, and the flood never ends
		if err != nil {
			t.Fatal(err)
		}
		all.Wait()
		for g := range accepted {
			if a, r := accepted[g].Load(), ran[g].Load(); a != r {
				t.Fatalf("goroutine %d: %d calls were accepted, %d ran", g, a, r)
			}
		}
	}
}

func TestRunThreadsafe_untilTheLoopEnds_everySubmissionGetsAnAnswer(t *testing.T) {
	for range 20 {
		var all sync.WaitGroup
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			for range 4 {
				all.Go(func() {
					for {
						_, err := asyncio.RunThreadsafe(loop, func(ctx context.Context) (int, error) {
							return 0, asyncio.Sleep(ctx, time.Microsecond)
						}).Wait(context.Background())
						if errors.Is(err, asyncio.ErrLoopClosed) {
							return
						}
						if err != nil && err != context.Canceled {
							t.Errorf("got %v", err)
						}
					}
				})
			}
			return asyncio.Sleep(ctx, 2*time.Millisecond)
		})
		if err != nil {
			t.Fatal(err)
		}
		all.Wait()
	}
}

func TestThreadsafe_onAClosedLoop_isRefused(t *testing.T) {
	loop, err := asyncio.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	loop.Close()
	if err := loop.CallSoonThreadsafe(func() { t.Error("ran") }); !errors.Is(err, asyncio.ErrLoopClosed) ||
		!strings.HasPrefix(err.Error(), "asyncio: Loop.CallSoonThreadsafe: ") {
		t.Errorf("CallSoonThreadsafe: %v", err)
	}
	s := asyncio.RunThreadsafe(loop, func(ctx context.Context) (int, error) { t.Error("ran"); return 0, nil })
	if _, err := s.Wait(context.Background()); !errors.Is(err, asyncio.ErrLoopClosed) {
		t.Errorf("RunThreadsafe: %v", err)
	}
	s.Cancel()
}

func TestThreadsafe_nilFunctions_panic(t *testing.T) {
	loop := clockLoop(t)
	mustPanic(t, "asyncio: Loop.CallSoonThreadsafe: nil function", func() { loop.CallSoonThreadsafe(nil) })
	mustPanic(t, "asyncio: RunThreadsafe: nil function", func() { asyncio.RunThreadsafe[int](loop, nil) })
}

// Two loops on two goroutines hand work to one another.
func TestRunThreadsafe_betweenLoops(t *testing.T) {
	run(t, func(ctx context.Context) error {
		first := asyncio.RunningLoop(ctx)
		withOtherLoop(t, ctx, func(second *asyncio.Loop) {
			got := asyncio.NewFuture[int](first)
			s := asyncio.RunThreadsafe(second, func(ctx context.Context) (int, error) {
				first.CallSoonThreadsafe(func() { got.SetResult(42) })
				return 43, nil
			})
			if v, err := got.Await(ctx); v != 42 || err != nil {
				t.Errorf("got %d, %v", v, err)
			}
			wantErr(t, "outside", outside(ctx, func() {
				if v, err := s.Wait(context.Background()); v != 43 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			}), nil)
		})
		return nil
	})
}
