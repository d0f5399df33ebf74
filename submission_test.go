package asyncio_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// withOtherLoop runs fn beside another loop, which runs on a goroutine of its
// own and has ended when withOtherLoop returns.
func withOtherLoop(t *testing.T, ctx context.Context, fn func(other *asyncio.Loop)) {
	t.Helper()
	ready, ended := make(chan *asyncio.Loop, 1), make(chan error, 1)
	var end asyncio.Event
	go func() {
		ended <- asyncio.Run(context.Background(), func(ctx context.Context) error {
			ready <- asyncio.RunningLoop(ctx)
			return end.Wait(ctx)
		})
	}()
	other, _, err := asyncio.Recv(ctx, ready)
	if err != nil {
		t.Fatal(err)
	}
	fn(other)
	if err := other.CallSoonThreadsafe(end.Set); err != nil {
		t.Error(err)
	}
	if err, _, failed := asyncio.Recv(context.WithoutCancel(ctx), ended); err != nil || failed != nil {
		t.Errorf("the other loop: %v, %v", err, failed)
	}
}

// conformance: future-24 future-27
func TestSubmissionAwait_onAnotherLoop_givesTheResultOrTheError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		mine, boom := asyncio.RunningLoop(ctx), errors.New("boom")
		withOtherLoop(t, ctx, func(other *asyncio.Loop) {
			v, err := asyncio.RunThreadsafe(other, func(ctx context.Context) (int, error) {
				if mine.OnLoop() || !other.OnLoop() {
					t.Error("not on the other loop")
				}
				return 42, asyncio.Yield(ctx)
			}).Await(ctx)
			if v != 42 || err != nil || !mine.OnLoop() {
				t.Errorf("got %d, %v", v, err)
			}
			v, err = asyncio.RunThreadsafe(other, func(ctx context.Context) (int, error) { return 1, boom }).Await(ctx)
			if v != 1 || err != boom {
				t.Errorf("got %d, %v", v, err)
			}
			_, err = asyncio.RunThreadsafe(other, func(ctx context.Context) (int, error) { panic("ouch") }).Await(ctx)
			if p := (*asyncio.PanicError)(nil); !errors.As(err, &p) {
				t.Errorf("got %v", err)
			}
		})
		return nil
	})
}

func TestSubmissionAwait_onItsOwnLoop(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.RunThreadsafe(asyncio.RunningLoop(ctx), func(ctx context.Context) (int, error) {
			return 42, asyncio.Sleep(ctx, time.Hour)
		})
		if v, err := s.Await(ctx); v != 42 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		done, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		if v, err := s.Await(done); v != 42 || err != nil {
			t.Errorf("what is there, under a done context: %d, %v", v, err)
		}
		return nil
	})
}

func TestSubmissionAwait_byManyOnTwoLoops_withoutGoroutines(t *testing.T) {
	run(t, func(ctx context.Context) error {
		withOtherLoop(t, ctx, func(other *asyncio.Loop) {
			goOn := make(chan int)
			s := asyncio.RunThreadsafe(other, recvOne(goOn))
			await := func(ctx context.Context) (int, error) { return s.Await(ctx) }
			var here []*asyncio.Task[int]
			var there []*asyncio.Submission[int]
			before := runtime.NumGoroutine()
			for range 100 {
				here = append(here, asyncio.CreateTask(ctx, await))
			}
			asyncio.Yield(ctx)
			if n := runtime.NumGoroutine() - before; n > 200 { // each task has one, and the pool some to spare
				t.Errorf("%d goroutines for 100 tasks that await", n)
			}
			for range 100 {
				there = append(there, asyncio.RunThreadsafe(other, await))
			}
			asyncio.Send(ctx, goOn, 42)
			for i := range 100 {
				if v, err := here[i].Await(ctx); v != 42 || err != nil {
					t.Errorf("here: %d, %v", v, err)
				}
				if v, err := there[i].Await(ctx); v != 42 || err != nil {
					t.Errorf("there: %d, %v", v, err)
				}
			}
		})
		return nil
	})
}

// Awaiting does not own: who is cancelled leaves the submission alone. Cancel
// ends it.
//
// conformance: future-29
func TestSubmissionAwait_cancelled_theTaskGoesOn_untilCancel(t *testing.T) {
	run(t, func(ctx context.Context) error {
		withOtherLoop(t, ctx, func(other *asyncio.Loop) {
			s := asyncio.RunThreadsafe(other, func(ctx context.Context) (int, error) {
				return 0, asyncio.Sleep(ctx, time.Hour)
			})
			err := asyncio.Timeout(ctx, time.Second, func(ctx context.Context) error {
				_, err := s.Await(ctx)
				return err
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Await under a timeout: %v", err)
			}
			select {
			case <-s.Done():
				t.Error("the end of the wait has ended the task")
			default:
			}
			s.Cancel()
			if _, err := s.Await(ctx); err != context.Canceled {
				t.Errorf("after Cancel: %v", err)
			}
		})
		return nil
	})
}

// The other loop is done, this one has not heard of it, and the waiter is
// cancelled: it is cancelled, and the result is there for others.
//
// conformance: future-30
// pitfall: 34
func TestSubmissionAwait_cancelledBeforeTheResultArrives_theSubmissionKeepsIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		withOtherLoop(t, ctx, func(other *asyncio.Loop) {
			goOn := make(chan int)
			s := asyncio.RunThreadsafe(other, recvOne(goOn))
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
				v, err := s.Await(ctx)
				wantErr(t, "Await", err, context.Canceled)
				start := loop.Time()
				asyncio.Sleep(context.WithoutCancel(ctx), time.Hour)
				if d := loop.Time() - start; d != time.Hour {
					t.Errorf("the late result ended another wait, after %v", d)
				}
				return v, err
			}, asyncio.EagerStart(true))
			loop.CallSoon(func() {
				goOn <- 42
				<-s.Done()
				task.Cancel()
			})
			if _, err := task.Await(ctx); err != context.Canceled {
				t.Errorf("the waiter: %v", err)
			}
			if v, err := s.Await(ctx); v != 42 || err != nil {
				t.Errorf("the submission has %d, %v", v, err)
			}
		})
		return nil
	})
}

// conformance: future-26
func TestSubmissionAwait_outsideOfACoroutine_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := asyncio.RunThreadsafe(asyncio.RunningLoop(ctx), value(1))
		if _, err := s.Await(context.Background()); !errors.Is(err, asyncio.ErrNotOnLoop) {
			t.Errorf("without a loop: %v", err)
		}
		elsewhere(func() {
			if _, err := s.Await(ctx); !errors.Is(err, asyncio.ErrWrongGoroutine) {
				t.Errorf("on another goroutine: %v", err)
			}
		})
		_, err := s.Await(ctx)
		return err
	})
}

func TestSubmissionAwait_ofItself_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s *asyncio.Submission[int]
		s = asyncio.RunThreadsafe(asyncio.RunningLoop(ctx), func(ctx context.Context) (int, error) { return s.Await(ctx) })
		if _, err := s.Await(ctx); err == nil || !strings.Contains(err.Error(), "asyncio: Submission.Await: a task cannot await itself") {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestSubmissionAwait_deadlocksOfItsOwnLoopAreFound(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := quietLoop(ctx)
		s := asyncio.RunThreadsafe(loop, func(ctx context.Context) (int, error) {
			var never asyncio.Event
			return 0, never.Wait(ctx)
		})
		_, err := s.Await(ctx)
		return err
	})
	var dead *asyncio.DeadlockError
	if !errors.As(err, &dead) || !strings.Contains(dead.Tasks[0], "waits for a Submission") {
		t.Errorf("got %v", err)
	}
}

func TestSubmissionAwait_itsLoopEnds_theAnswerIsItsError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		other, err := asyncio.NewLoop()
		if err != nil {
			return err
		}
		s := asyncio.RunThreadsafe(other, func(ctx context.Context) (int, error) { return 0, asyncio.Sleep(ctx, time.Hour) })
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return s.Await(ctx) })
		asyncio.Yield(ctx)
		if err := outside(ctx, func() { other.Close() }); err != nil {
			return err
		}
		if _, err := task.Await(ctx); !errors.Is(err, asyncio.ErrLoopClosed) {
			t.Errorf("got %v", err)
		}
		if _, err := asyncio.RunThreadsafe(other, value(1)).Await(ctx); !errors.Is(err, asyncio.ErrLoopClosed) {
			t.Errorf("on a loop that has ended: %v", err)
		}
		return nil
	})
}

// pitfall: 34
func TestSubmissionAwait_theWaitersLoopEndsFirst_nothingCallsIntoIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		withOtherLoop(t, ctx, func(other *asyncio.Loop) {
			goOn := make(chan int)
			s := asyncio.RunThreadsafe(other, recvOne(goOn))
			waiter, err := asyncio.NewLoop()
			if err != nil {
				t.Fatal(err)
			}
			var got error
			outside(ctx, func() {
				asyncio.Go(waiter.Context(), func(ctx context.Context) error {
					_, got = s.Await(context.WithoutCancel(ctx))
					return nil
				})
				waiter.RunOnce()
				abandon(waiter)
			})
			wantErr(t, "the Await that was abandoned", got, asyncio.ErrLoopClosed)
			asyncio.Send(ctx, goOn, 42)
			if v, err := s.Await(ctx); v != 42 || err != nil {
				t.Errorf("got %d, %v", v, err)
			}
		})
		return nil
	})
}

func TestSubmissionAwait_onceItHasReturned_nothingIsExpectedFromOutside(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		withOtherLoop(t, ctx, func(other *asyncio.Loop) {
			asyncio.RunThreadsafe(other, value(1)).Await(ctx)
		})
		var never asyncio.Event
		return never.Wait(ctx)
	})
	var dead *asyncio.DeadlockError
	if !errors.As(err, &dead) {
		t.Errorf("got %v", err)
	}
}

func TestSubmissionAwait_cancelledOften_leavesNothingBehind(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var never asyncio.Event
		s := asyncio.RunThreadsafe(asyncio.RunningLoop(ctx), func(ctx context.Context) (int, error) { return 0, never.Wait(ctx) })
		objects := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapObjects
		}
		before := objects()
		for range 20000 {
			own, cancel := asyncio.WithCancel(ctx)
			asyncio.RunningLoop(ctx).CallSoon(func() { cancel(nil) })
			if _, err := s.Await(own); err != context.Canceled {
				return err
			}
		}
		if after := objects(); after > before+10000 {
			t.Errorf("%d objects are left", after-before)
		}
		return nil
	})
}

// What a goroutine's work came to can be put into a future, and leaves one alone
// that has been cancelled meanwhile.
//
// conformance: future-19
func TestFuture_takesTheOutcomeOfASubmission_unlessItIsCancelled(t *testing.T) {
	boom := errors.New("boom")
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		follow := func(f *asyncio.Future[int], s *asyncio.Submission[int]) error {
			switch v, err := s.Await(ctx); {
			case errors.Is(err, context.Canceled):
				f.Cancel(err)
				return nil
			case err != nil:
				return f.SetError(err)
			default:
				return f.SetResult(v)
			}
		}
		f := asyncio.NewFuture[int](loop)
		if err := follow(f, asyncio.RunThreadsafe(loop, value(7))); err != nil {
			t.Error(err)
		}
		if v, err := f.Result(); v != 7 || err != nil {
			t.Errorf("a value: %v, %v", v, err)
		}
		f = asyncio.NewFuture[int](loop)
		if err := follow(f, asyncio.RunThreadsafe(loop, failing[int](boom))); err != nil || f.Err() != boom {
			t.Errorf("an error: %v, %v", err, f.Err())
		}
		f = asyncio.NewFuture[int](loop)
		s := asyncio.RunThreadsafe(loop, sleeper(1))
		s.Cancel()
		if err := follow(f, s); err != nil || !f.Cancelled() {
			t.Errorf("a cancellation: %v, %v", err, f)
		}
		f = asyncio.NewFuture[int](loop)
		f.Cancel(boom)
		if err := follow(f, asyncio.RunThreadsafe(loop, value(7))); !errors.Is(err, asyncio.ErrInvalidState) || f.Err() != boom {
			t.Errorf("a cancelled target: %v, %v", err, f)
		}
		return nil
	})
}
