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

// flights is a SingleFlight whose runs take a second, and are counted.
type flights struct {
	asyncio.SingleFlight[string, string]
	runs, ended int
	err         error         // of the runs
	cleanup     time.Duration // of a run that is cancelled
	cause       error         // of the last one that was cancelled
}

func (s *flights) run(ctx context.Context) (string, error) {
	s.runs++
	n := s.runs
	defer func() { s.ended++ }()
	if err := asyncio.Sleep(ctx, time.Second); err != nil {
		s.cause = err
		asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, s.cleanup) })
		return "", err
	}
	return fmt.Sprint("run ", n), s.err
}

// call starts a task that calls Do, and says what it got.
func (s *flights) call(ctx context.Context, key string) *asyncio.Task[string] {
	return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		v, shared, err := s.Do(ctx, key, s.run)
		return fmt.Sprint(v, " ", shared), err
	})
}

// wantResult fails the test unless the task ends with v and err.
func wantResult(t *testing.T, what string, ctx context.Context, task *asyncio.Task[string], want string, wanted error) {
	t.Helper()
	v, err := task.Await(ctx)
	if v != want && err == nil {
		t.Errorf("%s: got %q, want %q", what, v, want)
	}
	wantErr(t, what, err, wanted)
}

func TestSingleFlight_callsForTheSameKey_shareARun(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s flights
		a, b, other := s.call(ctx, "k"), s.call(ctx, "k"), s.call(ctx, "l")
		asyncio.Sleep(ctx, time.Second/2)
		late := s.call(ctx, "k")
		wantResult(t, "first", ctx, a, "run 1 true", nil)
		wantResult(t, "second", ctx, b, "run 1 true", nil)
		wantResult(t, "late", ctx, late, "run 1 true", nil)
		wantResult(t, "another key", ctx, other, "run 2 false", nil)
		if now := quietLoop(ctx).Time(); now != time.Second {
			t.Errorf("it took until %v", now)
		}
		wantResult(t, "after the end", ctx, s.call(ctx, "k"), "run 3 false", nil)
		s.err = errors.New("boom")
		a, b = s.call(ctx, "k"), s.call(ctx, "k")
		wantResult(t, "first of a failure", ctx, a, "", s.err)
		wantResult(t, "second of a failure", ctx, b, "", s.err)
		return nil
	}, fifo)
}

func TestSingleFlight_whoIsCancelled_leaves_andTheOthersGetTheResult(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s flights
		stop := errors.New("stop")
		a, b, c := s.call(ctx, "k"), s.call(ctx, "k"), s.call(ctx, "k")
		letWait(t, ctx)
		a.Cancel(stop) // the one that has started it
		b.Cancel(stop)
		wantResult(t, "first", ctx, a, "", stop)
		wantResult(t, "second", ctx, b, "", stop)
		if now := quietLoop(ctx).Time(); now >= time.Second || s.ended > 0 {
			t.Errorf("they left at %v, %d runs have ended", now, s.ended)
		}
		wantResult(t, "third", ctx, c, "run 1 true", nil)
		return nil
	})
}

func TestSingleFlight_theLastToLeave_cancelsTheRun_andWaitsForItsEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := flights{cleanup: time.Minute}
		stop := errors.New("stop")
		a, b := s.call(ctx, "k"), s.call(ctx, "k")
		letWait(t, ctx)
		b.Cancel(errors.New("not this one"))
		b.Await(ctx)
		a.Cancel(stop)
		letWait(t, ctx)
		if s.cause != stop || a.Done() {
			t.Errorf("the run was cancelled with %v; its caller has ended %v", s.cause, a.Done())
		}
		// Who comes now is not given what is being cancelled.
		wantResult(t, "while the first run cleans up", ctx, s.call(ctx, "k"), "run 2 false", nil)
		wantResult(t, "the last", ctx, a, "", stop)
		if now := quietLoop(ctx).Time(); now < time.Minute || s.ended != 2 || !a.Cancelled() {
			t.Errorf("at %v, %d runs have ended, %v", now, s.ended, a)
		}
		return nil
	})
}

func TestSingleFlight_theLastToLeave_getsItsOwnCause_howeverTheRunPutsIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s asyncio.SingleFlight[string, string]
		stop := errors.New("stop")
		task := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			v, _, err := s.Do(ctx, "k", func(ctx context.Context) (string, error) {
				asyncio.Sleep(ctx, time.Hour)
				return "", fmt.Errorf("fetching: %w", ctx.Err())
			})
			return v, err
		})
		letWait(t, ctx)
		task.Cancel(stop)
		if _, err := task.Await(ctx); err != stop {
			t.Errorf("got %v, want %v", err, stop)
		}
		return nil
	})
}

func TestSingleFlight_aRunThatSucceedsAlthoughItIsCancelled_givesItsResult(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s asyncio.SingleFlight[int, string]
		boom := errors.New("boom")
		for _, want := range []error{nil, boom} {
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
				v, _, err := s.Do(ctx, 1, func(ctx context.Context) (string, error) {
					asyncio.Sleep(ctx, time.Hour)
					return "done", want
				})
				return v, err
			})
			letWait(t, ctx)
			task.Cancel()
			wantResult(t, "Do", ctx, task, "done", want)
		}
		return nil
	})
}

func TestSingleFlight_keepRunning_lastsLongerThanItsCallers(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s flights
		s.KeepRunning = true
		a := s.call(ctx, "k")
		letWait(t, ctx)
		a.Cancel()
		wantResult(t, "first", ctx, a, "", context.Canceled)
		wantResult(t, "second", ctx, s.call(ctx, "k"), "run 1 false", nil)
		return nil
	})
}

func TestSingleFlight_aPanic_reachesAll(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s asyncio.SingleFlight[string, int]
		call := func(ctx context.Context) (int, error) {
			v, _, err := s.Do(ctx, "k", func(ctx context.Context) (int, error) {
				asyncio.Sleep(ctx, time.Second)
				panic("oh no")
			})
			return v, err
		}
		for i, r := range asyncio.GatherResults(ctx, call, call, call) {
			var p *asyncio.PanicError
			if !errors.As(r.Err, &p) || p.Value != "oh no" {
				t.Errorf("caller %d got %v", i, r.Err)
			}
		}
		return nil
	}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) {}))
}

func TestSingleFlight_forget_startsARunBesideTheOtherOne(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s flights
		s.Forget("k")
		a := s.call(ctx, "k")
		letWait(t, ctx)
		s.Forget("k")
		b := s.call(ctx, "k")
		wantResult(t, "first", ctx, a, "run 1 false", nil)
		c := s.call(ctx, "k") // the end of the forgotten run takes nothing away
		wantResult(t, "second", ctx, b, "run 2 true", nil)
		wantResult(t, "third", ctx, c, "run 2 true", nil)
		return nil
	})
}

func TestSingleFlight_theRun_hasTheValuesOfTheFirstCaller_butNotItsDeadline(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s asyncio.SingleFlight[string, string]
		look := func(ctx context.Context) (string, error) {
			_, limited := ctx.Deadline()
			v, _ := ctx.Value(key("k")).(string)
			return fmt.Sprint(v, " ", limited), nil
		}
		return asyncio.Timeout(context.WithValue(ctx, key("k"), "v"), time.Hour, func(ctx context.Context) error {
			if v, _, err := s.Do(ctx, "k", look); v != "v false" || err != nil {
				t.Errorf("got %q, %v", v, err)
			}
			return nil
		})
	})
}

func TestSingleFlight_misuse_isNamed(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s flights
		mustPanic(t, "SingleFlight.Do: nil function", func() { s.Do(ctx, "k", nil) })
		over, cancel := asyncio.WithCancel(ctx)
		stop := errors.New("stop")
		cancel(stop)
		if _, _, err := s.Do(over, "k", s.run); err != stop || s.runs > 0 {
			t.Errorf("under a done context: %v, %d runs", err, s.runs)
		}
		_, _, err := s.Do(ctx, "k", func(ctx context.Context) (string, error) {
			_, _, err := s.Do(ctx, "k", s.run)
			return "", err
		})
		if err == nil || !strings.Contains(err.Error(), "SingleFlight.Do: a task cannot wait for itself") {
			t.Errorf("a run that calls itself: %v", err)
		}
		elsewhere(func() {
			_, _, err := s.Do(ctx, "k", s.run)
			wantErr(t, "Do", err, asyncio.ErrWrongGoroutine)
			mustPanic(t, "SingleFlight.Forget", func() { s.Forget("k") })
			onAnotherLoop(t, func(ctx context.Context) error { _, _, err := s.Do(ctx, "k", s.run); return err })
		})
		return nil
	})
}

func TestSingleFlight_aRun_isNamedByTheLineThatStartedIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var s asyncio.SingleFlight[string, string]
		_, _, err := s.Do(ctx, "k", func(ctx context.Context) (string, error) {
			if at := asyncio.CurrentTask(ctx).Created(); !strings.Contains(at, "singleflight_test.go:") {
				t.Errorf("created at %q", at)
			}
			return "", nil
		})
		return err
	})
}

// Calls, failures and cancellations at random: the runs of a key never overlap but
// for those that are cancelled; who is not cancelled gets the result of a run that
// ended when it did; a run goes on as long as somebody waits for it, and no longer.
func TestSingleFlight_atRandom(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		m := &flightModel{rnd: rnd, live: map[int][]context.Context{}, callers: map[int][]context.Context{}, ends: map[string]time.Duration{}}
		run(t, func(ctx context.Context) error {
			m.loop = quietLoop(ctx)
			var tasks []*asyncio.Task[asyncio.None]
			for range 40 {
				at := m.pause(300)
				tasks = append(tasks, asyncio.Go(ctx, func(ctx context.Context) error {
					if err := asyncio.Sleep(ctx, at); err != nil {
						return err
					}
					return m.call(ctx)
				}))
			}
			for range 30 {
				asyncio.Sleep(ctx, m.pause(20))
				tasks[rnd.IntN(len(tasks))].Cancel()
				asyncio.Sleep(ctx, time.Nanosecond)
				m.atRest()
			}
			asyncio.Sleep(ctx, time.Second)
			m.atRest()
			if left := len(asyncio.AllTasks(asyncio.RunningLoop(ctx))); left != 1 {
				m.fault("%d tasks are left", left)
			}
			return nil
		})
		for _, f := range m.faults {
			t.Errorf("seed %d: %s", seed, f)
		}
		if t.Failed() {
			return
		}
	}
}

type flightModel struct {
	asyncio.SingleFlight[int, string]
	rnd     *rand.Rand
	loop    *asyncio.Loop
	n       int
	live    map[int][]context.Context // the runs of a key
	callers map[int][]context.Context
	ends    map[string]time.Duration // of each run
	faults  []string
}

func (m *flightModel) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf("at %v: ", m.loop.Time())+fmt.Sprintf(format, args...))
}

func (m *flightModel) pause(most int) time.Duration {
	return time.Duration(m.rnd.IntN(most)) * time.Microsecond
}

// without returns list without ctx.
func without(list []context.Context, ctx context.Context) (rest []context.Context) {
	for _, c := range list {
		if c != ctx {
			rest = append(rest, c)
		}
	}
	return rest
}

// alive returns how many of the contexts are not done.
func alive(list []context.Context) (n int) {
	for _, ctx := range list {
		if ctx.Err() == nil {
			n++
		}
	}
	return n
}

func (m *flightModel) call(ctx context.Context) error {
	key := m.rnd.IntN(3)
	m.callers[key] = append(m.callers[key], ctx)
	v, _, err := m.Do(ctx, key, func(ctx context.Context) (string, error) { return m.work(ctx, key) })
	m.callers[key] = without(m.callers[key], ctx)
	switch {
	case err == nil && !strings.HasPrefix(v, fmt.Sprint("key ", key, ",")):
		m.fault("a call for %d got %q", key, v)
	case err == nil && m.ends[v] != m.loop.Time():
		m.fault("%q, which ended at %v", v, m.ends[v])
	case cancelled(err) && ctx.Err() == nil:
		m.fault("a call that was not cancelled got %v", err)
	}
	if err != nil && !cancelled(err) {
		return nil
	}
	return err
}

func (m *flightModel) work(ctx context.Context, key int) (string, error) {
	if n := alive(m.live[key]); n > 0 && ctx.Err() == nil {
		m.fault("a run for %d begins beside another one", key)
	}
	m.n++
	name := fmt.Sprintf("key %d, run %d", key, m.n)
	m.live[key] = append(m.live[key], ctx)
	err := asyncio.Sleep(ctx, m.pause(60))
	if err != nil && m.rnd.IntN(2) == 0 {
		asyncio.Shield(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, m.pause(60)) })
		if m.rnd.IntN(2) == 0 {
			err = nil
		}
	}
	m.live[key] = without(m.live[key], ctx)
	m.ends[name] = m.loop.Time()
	if err == nil && m.rnd.IntN(4) == 0 {
		err = errors.New("boom")
	}
	return name, err
}

// atRest looks at what must hold when nobody is ready to run.
func (m *flightModel) atRest() {
	for key := range 3 {
		runs, callers := alive(m.live[key]), alive(m.callers[key])
		if runs > 1 || runs > 0 && callers == 0 || runs == 0 && callers > 0 {
			m.fault("key %d has %d runs for %d callers", key, runs, callers)
		}
		if over := len(m.callers[key]) - callers; over > len(m.live[key])-runs {
			m.fault("key %d: %d callers that are cancelled wait for %d runs that are", key, over, len(m.live[key])-runs)
		}
	}
}
