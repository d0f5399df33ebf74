package asyncio_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

// startTimes notes when each of the functions of a race is started.
func startTimes[T any](ctx context.Context, at *[]time.Duration, fns ...asyncio.Coroutine[T]) []asyncio.Coroutine[T] {
	loop := asyncio.RunningLoop(ctx)
	noting := make([]asyncio.Coroutine[T], len(fns))
	for i, fn := range fns {
		noting[i] = func(ctx context.Context) (T, error) {
			*at = append(*at, loop.Time())
			return fn(ctx)
		}
	}
	return noting
}

// conformance: staggered-01
func TestStaggeredRace_ofNothing_hasNoWinner(t *testing.T) {
	run(t, func(ctx context.Context) error {
		v, winner, errs := asyncio.StaggeredRace[int](ctx, time.Second)
		if v != 0 || winner != -1 || errs == nil || len(errs) != 0 {
			t.Errorf("got %v, %d, %v", v, winner, errs)
		}
		if v, err := asyncio.Race[int](ctx); v != 0 || err == nil {
			t.Errorf("Race: got %v, %v", v, err)
		}
		return nil
	})
}

// conformance: staggered-02
func TestStaggeredRace_theFirstSucceedsInTime_theNextIsNotStarted(t *testing.T) {
	for _, takes := range []time.Duration{0, time.Second - 1} {
		run(t, func(ctx context.Context) error {
			var at []time.Duration
			v, winner, errs := asyncio.StaggeredRace(ctx, time.Second, startTimes(ctx, &at, after(takes, "a", nil), after(0, "b", nil))...)
			if v != "a" || winner != 0 || !slices.Equal(errs, []error{nil}) || len(at) != 1 {
				t.Errorf("got %v, %d, %v; started at %v", v, winner, errs, at)
			}
			return asyncio.Sleep(ctx, time.Hour)
		})
	}
}

// In the turn in which the next one is due, what comes first decides.
func TestStaggeredRace_succeedsWhenTheNextIsDue_oneWins(t *testing.T) {
	for what, factory := range map[string]asyncio.TaskFactory{"the next": nil, "the winner": asyncio.EagerTasks} {
		run(t, func(ctx context.Context) error {
			var at []time.Duration
			_, winner, errs := asyncio.StaggeredRace(ctx, time.Second, startTimes(ctx, &at, after(time.Second, 1, nil), value(2))...)
			want := map[string]int{"the next": 2, "the winner": 1}[what]
			if winner != 0 || len(errs) != want || len(at) != want || want == 2 && !errors.Is(errs[1], context.Canceled) {
				t.Errorf("%s is first: winner %d, %v; started at %v", what, winner, errs, at)
			}
			return nil
		}, asyncio.WithTaskFactory(factory), fifo)
	}
}

// conformance: staggered-03
// pitfall: 31
func TestStaggeredRace_theLastOneFails_theNextStartsAtOnce(t *testing.T) {
	boom, bang := errors.New("boom"), errors.New("bang")
	run(t, func(ctx context.Context) error {
		var at []time.Duration
		fns := startTimes(ctx, &at,
			after(0, "a", boom),
			after(3*time.Second, "b", nil),
			func(context.Context) (string, error) { panic(bang) },
			after(time.Hour, "d", nil))
		v, winner, errs := asyncio.StaggeredRace(ctx, 2*time.Second, fns...)
		if v != "b" || winner != 1 || len(errs) != 4 || errs[0] != boom || errs[1] != nil ||
			!errors.Is(errs[2], bang) || !errors.Is(errs[3], context.Canceled) {
			t.Errorf("got %v, %d, %v", v, winner, errs)
		}
		if want := []time.Duration{0, 0, 2 * time.Second, 2 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("started at %v, want %v", at, want)
		}
		return nil
	}, noReports(t))
}

// An earlier one that fails does not hurry the next: the last has its time.
func TestStaggeredRace_anEarlierOneFails_theDelayIsKept(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var at []time.Duration
		fns := startTimes(ctx, &at, after(3*time.Second, 1, errors.New("boom")), sleeper(2), value(3))
		fns[1] = startTimes(ctx, &at, after(time.Hour, 2, nil))[0]
		_, winner, _ := asyncio.StaggeredRace(ctx, 2*time.Second, fns...)
		if want := []time.Duration{0, 2 * time.Second, 4 * time.Second}; winner != 2 || !slices.Equal(at, want) {
			t.Errorf("winner %d; started at %v, want %v", winner, at, want)
		}
		return nil
	})
}

// conformance: staggered-04
// pitfall: 31
func TestStaggeredRace_theDelayPasses_theNextStarts_andTheLoserHasEnded(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		ended := false
		v, winner, errs := asyncio.StaggeredRace(ctx, time.Second, func(ctx context.Context) (string, error) {
			err := asyncio.Sleep(ctx, time.Hour)
			asyncio.Shield(ctx, sleepFor(time.Minute))
			ended = true
			return "a", err
		}, after(time.Hour, "b", nil), value("c"))
		if v != "c" || winner != 2 || !ended || loop.Time() != 2*time.Second+time.Minute {
			t.Errorf("got %v, %d, ended %v, at %v", v, winner, ended, loop.Time())
		}
		if len(errs) != 3 || !errors.Is(errs[0], context.Canceled) || !errors.Is(errs[1], context.Canceled) || errs[2] != nil {
			t.Errorf("errors %v", errs)
		}
		return nil
	})
}

// conformance: staggered-05
// pitfall: 31
func TestStaggeredRace_allFail_allErrorsAreReturned(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	for _, delay := range []time.Duration{-1, 0, time.Second, time.Hour} {
		run(t, func(ctx context.Context) error {
			v, winner, errs := asyncio.StaggeredRace(ctx, delay, after(time.Minute, 1, a), after(time.Second, 2, b))
			if v != 0 || winner != -1 || !slices.Equal(errs, []error{a, b}) {
				t.Errorf("got %v, %d, %v", v, winner, errs)
			}
			return nil
		}, noReports(t))
	}
	run(t, func(ctx context.Context) error {
		v, err := asyncio.Race(ctx, after(2, 1, a), after(1, 2, b))
		wantErr(t, "Race", err, a)
		wantErr(t, "Race", err, b)
		_, one := asyncio.Race(ctx, failing[int](a))
		if v != 0 || one != a {
			t.Errorf("got %v, %v", v, one)
		}
		return nil
	}, noReports(t))
}

// conformance: staggered-06
// pitfall: 31
func TestStaggeredRace_severalSucceedInOneTurn_oneWins(t *testing.T) {
	run(t, func(ctx context.Context) error {
		f := newFutures(ctx, 4)
		asyncio.RunningLoop(ctx).CallLater(time.Second, func() {
			for i, f := range f {
				f.SetResult(10 + i)
			}
		})
		ended := 0
		fns := make([]asyncio.Coroutine[int], len(f))
		for i := range fns {
			fns[i] = func(ctx context.Context) (int, error) {
				defer func() { ended++ }()
				return f[len(f)-1-i].Await(ctx) // what comes first belongs to the last
			}
		}
		v, winner, errs := asyncio.StaggeredRace(ctx, 0, fns...)
		if v != 10 || winner != 3 || ended != 4 || errs[3] != nil {
			t.Errorf("got %v, %d, %v, %d ended", v, winner, errs, ended)
		}
		for _, err := range errs[:3] {
			wantErr(t, "a loser", err, context.Canceled)
		}
		return nil
	}, fifo)
}

// Who finds its context not done and returns has won: so what was made is
// either the winner's, or closed by who made it.
func TestStaggeredRace_whoSeesThatItLost_canCloseWhatItMade(t *testing.T) {
	run(t, func(ctx context.Context) error {
		start := newFuture[int](ctx)
		made, closed := 0, 0
		dial := func(ctx context.Context) (int, error) {
			start.Await(ctx)
			made++
			if ctx.Err() != nil {
				closed++
				return 0, context.Cause(ctx)
			}
			return made, nil
		}
		asyncio.RunningLoop(ctx).CallSoon(func() { asyncio.RunningLoop(ctx).CallSoon(func() { start.SetResult(1) }) })
		_, winner, errs := asyncio.StaggeredRace(ctx, 0, dial, dial, dial)
		if winner < 0 || made != 3 || closed != 2 {
			t.Errorf("winner %d, %v: %d made, %d closed", winner, errs, made, closed)
		}
		return nil
	})
}

func TestStaggeredRace_aLoserFailsInItsCleanUp_thatIsItsError(t *testing.T) {
	boom := errors.New("boom")
	loser := func(ctx context.Context) (int, error) { return 0, failsWhenCancelled(boom)(ctx) }
	run(t, func(ctx context.Context) error {
		_, winner, errs := asyncio.StaggeredRace(ctx, 0, loser, after(time.Second, 2, nil))
		if winner != 1 || errs[0] != boom {
			t.Errorf("winner %d, %v", winner, errs)
		}
		v, err := asyncio.Race(ctx, loser, after(time.Second, 2, nil))
		if v != 2 || err != nil {
			t.Errorf("Race: got %v, %v", v, err)
		}
		return nil
	}, noReports(t))
}

// conformance: staggered-07
// pitfall: 31
func TestStaggeredRace_cancelled_passesTheCancellationOnWhenTheChildrenHaveEnded(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Second, time.Hour} {
		run(t, func(ctx context.Context) error {
			loop := asyncio.RunningLoop(ctx)
			first, second := errors.New("first"), errors.New("second")
			started, ended := 0, 0
			child := func(ctx context.Context) (int, error) {
				started++
				asyncio.Sleep(ctx, 1000*time.Hour)
				err := asyncio.Sleep(ctx, 1000*time.Hour) // the state stays
				asyncio.Shield(ctx, sleepFor(time.Minute))
				ended++
				return 0, err
			}
			race := asyncio.Go(ctx, func(ctx context.Context) error {
				_, winner, errs := asyncio.StaggeredRace(ctx, delay, child, child, child)
				if winner != -1 || len(errs) != started || !errors.Is(errors.Join(errs...), first) {
					t.Errorf("delay %v: winner %d, %v, %d started", delay, winner, errs, started)
				}
				return asyncio.Yield(ctx)
			})
			asyncio.Sleep(ctx, 3*time.Second)
			race.Cancel(first)
			asyncio.Yield(ctx)
			race.Cancel(second)
			_, err := race.Await(ctx)
			want := map[time.Duration]int{0: 3, time.Second: 3, time.Hour: 1}[delay]
			if err != first || !race.Cancelled() || started != want || ended != want || loop.Time() != 3*time.Second+time.Minute {
				t.Errorf("delay %v: %v, %d started, %d ended, at %v", delay, err, started, ended, loop.Time())
			}
			return nil
		}, noReports(t))
	}
}

func TestRace_theFirstToSucceedWins_theOthersAreCancelledAndHaveEnded(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ended := false
		v, err := asyncio.Race(ctx, after(1, "a", errors.New("boom")), after(2, "b", nil), func(ctx context.Context) (string, error) {
			err := asyncio.Sleep(ctx, time.Hour)
			asyncio.Shield(ctx, sleepFor(time.Second))
			ended = true
			return "c", err
		})
		if v != "b" || err != nil || !ended {
			t.Errorf("got %v, %v, ended %v", v, err, ended)
		}
		return nil
	}, noReports(t))
}

func TestRace_cancelled_returnsTheCause_butASuccessIsASuccess(t *testing.T) {
	cause, boom := errors.New("cause"), errors.New("boom")
	persists := func(ctx context.Context) (int, error) { asyncio.Sleep(ctx, time.Hour); return 2, nil }
	cleanUpFails := func(ctx context.Context) (int, error) { return 0, failsWhenCancelled(boom)(ctx) }
	hangs := after(time.Hour, 3, nil)
	for what, c := range map[string]struct {
		fns  []asyncio.Coroutine[int]
		want error
	}{
		"all cut":            {[]asyncio.Coroutine[int]{hangs, hangs}, cause},
		"one failed before":  {[]asyncio.Coroutine[int]{failing[int](boom), hangs}, cause},
		"one failed then":    {[]asyncio.Coroutine[int]{cleanUpFails, hangs}, cause},
		"both failed then":   {[]asyncio.Coroutine[int]{cleanUpFails, cleanUpFails}, boom},
		"one was successful": {[]asyncio.Coroutine[int]{hangs, persists}, nil},
	} {
		run(t, func(ctx context.Context) error {
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return asyncio.Race(ctx, c.fns...) })
			asyncio.Sleep(ctx, time.Second)
			task.Cancel(cause)
			v, err := task.Await(ctx)
			wantErr(t, what, err, c.want)
			if task.Cancelled() != (c.want == cause) || (v == 2) != (c.want == nil) {
				t.Errorf("%s: got %v, %v, %v", what, v, err, task)
			}
			return nil
		}, noReports(t))
	}
	run(t, func(ctx context.Context) error {
		below, cancel := asyncio.WithCancel(ctx)
		cancel(cause)
		v, err := asyncio.Race(below, hangs, hangs)
		if v != 0 || err != cause {
			t.Errorf("under a done context: got %v, %v", v, err)
		}
		return nil
	})
}

func TestRace_aPanicThatIsNotReturned_isReported(t *testing.T) {
	var reports []error
	run(t, func(ctx context.Context) error {
		bug := func(context.Context) (int, error) { panic("bug") }
		v, err := asyncio.Race(ctx, bug, after(time.Second, 2, nil))
		if v != 2 || err != nil || len(reports) != 1 {
			t.Errorf("got %v, %v, reports %v", v, err, reports)
		}
		_, err = asyncio.Race(ctx, bug)
		if p := (*asyncio.PanicError)(nil); !errors.As(err, &p) || len(reports) != 1 {
			t.Errorf("got %v, reports %v", err, reports)
		}
		return nil
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i.Err) }))
}

// conformance: eager-11 eager-12
func TestStaggeredRace_ofEagerTasks_isTheSame(t *testing.T) {
	boom := errors.New("boom")
	for _, delay := range []time.Duration{0, time.Second} {
		run(t, func(ctx context.Context) error {
			var at []time.Duration
			fns := startTimes(ctx, &at, failing[int](boom), after(2*time.Second, 2, nil), after(time.Minute, 3, nil))
			v, winner, errs := asyncio.StaggeredRace(ctx, delay, fns...)
			if v != 2 || winner != 1 || errs[0] != boom || errs[1] != nil || !errors.Is(errs[2], context.Canceled) {
				t.Errorf("delay %v: got %v, %d, %v", delay, v, winner, errs)
			}
			if want := []time.Duration{0, 0, delay}; !slices.Equal(at, want) {
				t.Errorf("started at %v, want %v", at, want)
			}
			at = nil
			v, winner, errs = asyncio.StaggeredRace(ctx, delay, startTimes(ctx, &at, value(7), value(8))...)
			if v != 7 || winner != 0 || len(errs) != 1 || len(at) != 1 {
				t.Errorf("delay %v: got %v, %d, %v", delay, v, winner, errs)
			}
			return nil
		}, asyncio.WithTaskFactory(asyncio.EagerTasks), noReports(t))
	}
}

func TestRace_misuse_isRefused(t *testing.T) {
	run(t, func(ctx context.Context) error {
		started := false
		fn := func(context.Context) (int, error) { started = true; return 1, nil }
		mustPanic(t, "asyncio: Race: nil function", func() { asyncio.Race(ctx, fn, nil) })
		mustPanic(t, "asyncio: StaggeredRace: nil function", func() { asyncio.StaggeredRace(ctx, 0, fn, nil) })
		_, err := asyncio.Race(context.Background(), fn)
		wantErr(t, "Race without a loop", err, asyncio.ErrNotOnLoop)
		_, err = asyncio.Race[int](context.Background())
		wantErr(t, "Race of nothing without a loop", err, asyncio.ErrNotOnLoop)
		_, winner, errs := asyncio.StaggeredRace(context.Background(), 0, fn, fn)
		if winner != -1 || len(errs) != 2 || !errors.Is(errs[0], asyncio.ErrNotOnLoop) || !errors.Is(errs[1], asyncio.ErrNotOnLoop) {
			t.Errorf("StaggeredRace without a loop: %d, %v", winner, errs)
		}
		if asyncio.Yield(ctx); started {
			t.Error("one was started")
		}
		return nil
	})
}
