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
	"github.com/go-asyncio/asyncio/lowlevel"
)

// forever waits for what never comes, and is no deadlock.
func forever(ctx context.Context) error {
	var never lowlevel.WaitQueue
	return never.WaitOutside(ctx, why("the end of the test"))
}

func TestRunLoops_eachMainRunsOnALoopOfItsOwn(t *testing.T) {
	for n, want := range map[int]int{0: runtime.GOMAXPROCS(0), 1: 1, 5: 5} {
		var started atomic.Int32
		seen := make([]*asyncio.Loop, want)
		err := asyncio.RunLoops(context.Background(), n, func(ctx context.Context, i int) error {
			seen[i] = asyncio.RunningLoop(ctx)
			if asyncio.Loops(ctx)[i] != seen[i] || len(asyncio.Loops(ctx)) != want {
				t.Errorf("n = %d: Loops has something else at %d", n, i)
			}
			started.Add(1)
			return nil
		})
		if err != nil || int(started.Load()) != want {
			t.Errorf("n = %d: %v, %d loops", n, err, started.Load())
		}
		for i, l := range seen {
			for _, other := range seen[:i] {
				if l == other || l == nil {
					t.Errorf("n = %d: loop %d is another one's", n, i)
				}
			}
		}
	}
}

func TestRunLoops_oneMainFails_cancelsTheOthersAndReturnsItsErrorAlone(t *testing.T) {
	failure := errors.New("failure")
	var cleaned atomic.Int32
	var cause atomic.Value
	err := asyncio.RunLoops(context.Background(), 3, func(ctx context.Context, i int) error {
		if i == 1 {
			return failure
		}
		err := forever(ctx)
		cause.Store(err.Error())
		cleaned.Add(1)
		return err
	})
	if err != failure || cleaned.Load() != 2 {
		t.Errorf("RunLoops = %v, %d others ended", err, cleaned.Load())
	}
	if s := cause.Load().(string); !strings.Contains(s, "loop 1") || !strings.Contains(s, "failure") {
		t.Errorf("the others were told %q", s)
	}
}

func TestRunLoops_severalFail_joinsTheirErrors(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	err := asyncio.RunLoops(context.Background(), 3, func(ctx context.Context, i int) error {
		switch i {
		case 0:
			return first
		case 1:
			_ = forever(ctx)
			return second
		default:
			return forever(ctx)
		}
	})
	if !errors.Is(err, first) || !errors.Is(err, second) || errors.Is(err, context.Canceled) {
		t.Errorf("RunLoops = %v", err)
	}
}

func TestRunLoops_contextCancelled_cancelsAllAndReturnsTheCauseOnce(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	var waiting atomic.Int32
	err := asyncio.RunLoops(ctx, 3, func(ctx context.Context, i int) error {
		if waiting.Add(1) == 3 {
			cancel(cause)
		}
		return forever(ctx)
	})
	if err != cause {
		t.Errorf("RunLoops = %v, want the cause alone", err)
	}
}

func TestRunLoops_aMainReturnsNil_leavesTheOthersRunning(t *testing.T) {
	err := asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, i int) error {
		if i == 0 {
			return nil
		}
		for {
			_, err := asyncio.CallOn(ctx, asyncio.Loops(ctx)[0], func(context.Context) (int, error) { return 0, nil })
			if errors.Is(err, asyncio.ErrLoopClosed) {
				return ctx.Err() // the other one has ended, and this one has not
			}
			if err != nil {
				return err
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRunLoops_panicAndGoexit_areErrorsOfThatLoop(t *testing.T) {
	err := asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, i int) error {
		if i == 0 {
			panic("oh")
		}
		return forever(ctx)
	})
	if p, ok := errors.AsType[*asyncio.PanicError](err); !ok || p.Value != "oh" {
		t.Errorf("a panic: %v", err)
	}
	err = asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, i int) error {
		if i == 0 {
			runtime.Goexit()
		}
		return forever(ctx)
	})
	if !errors.Is(err, asyncio.ErrGoexit) {
		t.Errorf("Goexit: %v", err)
	}
}

// A loop whose tasks wait for each other only is not in a deadlock while another loop may call in, and is when it is left.
func TestRunLoops_deadlock_isReportedByTheLastLoop(t *testing.T) {
	err := asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, i int) error {
		var event asyncio.Event
		if i == 0 {
			return asyncio.Sleep(ctx, 10*time.Millisecond)
		}
		return event.Wait(ctx)
	})
	if _, ok := errors.AsType[*asyncio.DeadlockError](err); !ok {
		t.Errorf("RunLoops = %v, want a deadlock", err)
	}
}

func TestRunLoops_onALoop_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		err := asyncio.RunLoops(ctx, 2, func(context.Context, int) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "running event loop") {
			t.Errorf("RunLoops = %v", err)
		}
		return nil
	})
	mustPanic(t, "RunLoops: nil function", func() { _ = asyncio.RunLoops(context.Background(), 1, nil) })
	mustPanic(t, "negative", func() {
		_ = asyncio.RunLoops(context.Background(), -1, func(context.Context, int) error { return nil })
	})
	err := asyncio.RunLoops(context.Background(), 2, func(context.Context, int) error { return nil }, asyncio.WithPoller("nonesuch"))
	if err == nil || !strings.Contains(err.Error(), "nonesuch") {
		t.Errorf("with an unknown poller: %v", err)
	}
}

func TestLoops_outsideAGroup_isTheLoopItself(t *testing.T) {
	run(t, func(ctx context.Context) error {
		if ls := asyncio.Loops(ctx); len(ls) != 1 || ls[0] != asyncio.RunningLoop(ctx) {
			t.Errorf("Loops = %v", ls)
		}
		return nil
	})
}

// twoLoops runs main beside a second loop that only answers.
func twoLoops(t *testing.T, main func(ctx context.Context, other *asyncio.Loop) error) {
	t.Helper()
	done := errors.New("main is done")
	err := asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, i int) error {
		if i == 1 {
			return forever(ctx)
		}
		if err := main(ctx, asyncio.Loops(ctx)[1]); err != nil {
			return err
		}
		return done
	})
	if err != done {
		t.Error(err)
	}
}

type callerKey struct{}

func TestCallOn_runsOnTheOtherLoopWithTheCallersValues(t *testing.T) {
	twoLoops(t, func(ctx context.Context, other *asyncio.Loop) error {
		ctx = context.WithValue(ctx, callerKey{}, "value")
		for _, l := range []*asyncio.Loop{other, asyncio.RunningLoop(ctx)} {
			v, err := asyncio.CallOn(ctx, l, func(ctx context.Context) (any, error) {
				if asyncio.RunningLoop(ctx) != l {
					t.Error("it runs on another loop")
				}
				return ctx.Value(callerKey{}), asyncio.Yield(ctx)
			})
			if v != "value" || err != nil {
				t.Errorf("CallOn = %v, %v", v, err)
			}
		}
		failure := errors.New("failure")
		_, err := asyncio.CallOn(ctx, other, func(context.Context) (int, error) { return 0, failure })
		if err != failure {
			t.Errorf("CallOn = %v", err)
		}
		_, err = asyncio.CallOn(ctx, other, func(context.Context) (int, error) { panic("oh") })
		if _, ok := errors.AsType[*asyncio.PanicError](err); !ok {
			t.Errorf("of one that panics: %v", err)
		}
		return nil
	})
}

// Two loops that call each other, each from within a call of the other, go on.
func TestCallOn_bothWaysNested_doesNotBlock(t *testing.T) {
	twoLoops(t, func(ctx context.Context, other *asyncio.Loop) error {
		home := asyncio.RunningLoop(ctx)
		var down func(ctx context.Context, depth int) (int, error)
		down = func(ctx context.Context, depth int) (int, error) {
			if depth == 0 {
				return 0, nil
			}
			to := []*asyncio.Loop{home, other}[depth%2]
			n, err := asyncio.CallOn(ctx, to, func(ctx context.Context) (int, error) { return down(ctx, depth-1) })
			return n + 1, err
		}
		if n, err := down(ctx, 20); n != 20 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		return nil
	})
}

func TestCallOn_cancelled_cancelsTheOtherTaskAndAwaitsItsEnd(t *testing.T) {
	twoLoops(t, func(ctx context.Context, other *asyncio.Loop) error {
		var told error
		var cleaned atomic.Bool
		err := asyncio.Timeout(ctx, 5*time.Millisecond, func(ctx context.Context) error {
			_, err := asyncio.CallOn(ctx, other, func(ctx context.Context) (int, error) {
				err := forever(ctx)
				told = context.Cause(ctx)
				_ = asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, 5*time.Millisecond) })
				cleaned.Store(true)
				return 0, err
			})
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) || !cleaned.Load() || !errors.Is(told, context.DeadlineExceeded) {
			t.Errorf("CallOn = %v, the other was told %v, and cleaned up: %v", err, told, cleaned.Load())
		}
		return nil
	})
}

func TestCallOn_cancelledButTheOtherHasAResult_returnsIt(t *testing.T) {
	twoLoops(t, func(ctx context.Context, other *asyncio.Loop) error {
		failure := errors.New("the clean-up failed")
		for _, end := range []error{nil, failure} {
			ctx, cancel := asyncio.WithCancel(ctx)
			v, err := asyncio.CallOn(ctx, other, func(inner context.Context) (int, error) {
				asyncio.RunThreadsafe(asyncio.Loops(inner)[0], func(context.Context) (int, error) { cancel(nil); return 0, nil })
				_ = forever(inner)
				return 7, end
			})
			if v != 7 || err != end {
				t.Errorf("CallOn = %d, %v", v, err)
			}
		}
		return nil
	})
}

func TestCallOn_underADoneContext_startsNothing(t *testing.T) {
	twoLoops(t, func(ctx context.Context, other *asyncio.Loop) error {
		done, cancel := asyncio.WithCancel(ctx)
		cause := errors.New("enough")
		cancel(cause)
		_, err := asyncio.CallOn(done, other, func(context.Context) (int, error) { t.Error("started"); return 0, nil })
		if err != cause {
			t.Errorf("CallOn = %v", err)
		}
		mustPanic(t, "CallOn: nil Loop or function", func() { _, _ = asyncio.CallOn[int](ctx, other, nil) })
		mustPanic(t, "CallOn: nil Loop or function", func() {
			_, _ = asyncio.CallOn(ctx, nil, func(context.Context) (int, error) { return 0, nil })
		})
		return nil
	})
	_, err := asyncio.CallOn(context.Background(), new(asyncio.Loop), func(context.Context) (int, error) { return 0, nil })
	if !errors.Is(err, asyncio.ErrNotOnLoop) {
		t.Errorf("CallOn outside = %v", err)
	}
}

func BenchmarkCallOn(b *testing.B) {
	benchmarkCallOn(b, 1)
}

// Many calls at once share the wake-ups of the loops.
func BenchmarkCallOn64AtOnce(b *testing.B) {
	benchmarkCallOn(b, 64)
}

func benchmarkCallOn(b *testing.B, callers int) {
	b.ReportAllocs()
	done := errors.New("done")
	err := asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, i int) error {
		if i == 1 {
			return forever(ctx)
		}
		other := asyncio.Loops(ctx)[1]
		left := b.N
		b.ResetTimer()
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range callers {
				g.Go(func(ctx context.Context) error {
					for ; left > 0; left-- {
						if _, err := asyncio.CallOn(ctx, other, func(context.Context) (int, error) { return 1, nil }); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
		b.StopTimer()
		return errors.Join(err, done)
	})
	if !errors.Is(err, done) {
		b.Fatal(err)
	}
}
