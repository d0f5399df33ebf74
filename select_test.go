package asyncio_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// selecting returns a task that selects, and what it has come to.
func selecting(ctx context.Context, cases ...asyncio.Case) *asyncio.Task[asyncio.Case] {
	return asyncio.CreateTask(ctx, func(ctx context.Context) (asyncio.Case, error) {
		return asyncio.Select(ctx, cases...)
	}, asyncio.Name("selector"))
}

// wantChosen fails the test unless the case was chosen, with the error.
func wantChosen(t *testing.T, what string, chosen asyncio.Case, err error, want asyncio.Case, wantErr error) {
	t.Helper()
	if chosen != want || !errors.Is(err, wantErr) || wantErr == nil && err != nil {
		t.Errorf("%s: got %v, %v; want %v, %v", what, chosen, err, want, wantErr)
	}
}

// A selectable is a case with what makes it possible, and what shows that its call
// was made.
type selectable struct {
	name   string
	c      asyncio.Case
	enable func()
	made   func() bool
	err    error // of the call
}

// eachCase returns a case of each kind, none of which is possible yet.
func eachCase(ctx context.Context) []selectable {
	loop := asyncio.RunningLoop(ctx)
	var all []selectable
	for name, create := range queueKinds {
		full, empty, down := create(1), create(1), create(1)
		full.TryPut(1)
		put, get, none := full.Putting(2), empty.Getting(), down.Getting()
		all = append(all,
			selectable{name + ".Putting", put, func() { full.TryGet() }, func() bool { return full.Len() == 1 }, nil},
			selectable{name + ".Getting", get, func() { empty.TryPut(3) }, func() bool { return empty.Len() == 0 && get.Value == 3 }, nil},
			selectable{name + ", shut down", none, func() { down.Shutdown(false) }, func() bool { return true }, asyncio.ErrQueueShutDown})
	}
	boom := errors.New("boom")
	event, lock := &asyncio.Event{}, &asyncio.Lock{}
	lock.TryAcquire(ctx)
	semaphore, bounded := asyncio.NewSemaphore(1), asyncio.NewBoundedSemaphore(1)
	semaphore.TryAcquire()
	bounded.TryAcquire()
	future, task := asyncio.NewFuture[int](loop), asyncio.Go(ctx, sleepFor(asyncio.Forever))
	in, out := make(chan int, 1), make(chan int, 1)
	out <- 1
	receive := asyncio.Receiving(in)
	var turns turnstile
	return append(all,
		selectable{"Event", event, event.Set, event.IsSet, nil},
		selectable{"Lock", lock.Acquiring(), lock.Release, lock.Locked, nil},
		selectable{"Semaphore", semaphore.Acquiring(), semaphore.Release, semaphore.Locked, nil},
		selectable{"BoundedSemaphore", bounded.Acquiring(), bounded.Release, bounded.Locked, nil},
		selectable{"Future", future, func() { future.SetError(boom) }, future.Done, boom},
		selectable{"Task", task, func() { task.Cancel(); asyncio.Sleep(ctx, time.Nanosecond) }, task.Cancelled, context.Canceled},
		selectable{"Receiving", receive, func() { in <- 4 }, func() bool { return receive.Value == 4 && receive.OK }, nil},
		selectable{"Sending", asyncio.Sending(out, 2), func() { <-out }, func() bool { return len(out) == 1 }, nil},
		selectable{"lowlevel.Case", lowlevel.Case(&turns), turns.open, func() bool { return turns.passed == 1 }, nil},
	)
}

// A turnstile lets one through each time that it is opened.
type turnstile struct {
	free, passed int
	line         lowlevel.WaitQueue
}

func (s *turnstile) WaitName() string          { return "a turnstile" }
func (s *turnstile) Line() *lowlevel.WaitQueue { return &s.line }
func (s *turnstile) Woken() (bool, error)      { s.passed++; return true, nil }

func (s *turnstile) open() {
	if s.line.Wake(1) == 0 {
		s.free++
	}
}

func (s *turnstile) Try() (bool, error) {
	if s.free == 0 {
		return false, nil
	}
	s.free--
	return s.Woken()
}

func TestSelect_whatIsPossible_isDoneAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, s := range eachCase(ctx) {
			var never asyncio.Event
			if chosen, err := asyncio.TrySelect(ctx, &never, s.c); chosen != nil || err != nil {
				t.Errorf("%s: TrySelect chose %v, %v before it was possible", s.name, chosen, err)
			}
			s.enable()
			chosen, err := asyncio.Select(ctx, &never, s.c, asyncio.Sleeping(time.Hour))
			wantChosen(t, s.name, chosen, err, s.c, s.err)
			if !s.made() {
				t.Errorf("%s: the call was not made", s.name)
			}
		}
		return nil
	})
}

func TestSelect_waitsUntilACallIsPossible_andMakesIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, s := range eachCase(ctx) {
			var never asyncio.Event
			task := selecting(ctx, &never, s.c, asyncio.Sleeping(time.Hour))
			letWait(t, ctx)
			if task.Done() {
				t.Errorf("%s: was chosen before it was possible", s.name)
			}
			s.enable()
			chosen, err := task.Await(ctx)
			wantChosen(t, s.name, chosen, err, s.c, s.err)
			if !s.made() || !strings.HasSuffix(never.String(), "(not set)") {
				t.Errorf("%s: the call was not made, or somebody is in line at %v", s.name, &never)
			}
		}
		return nil
	})
}

func TestTrySelect_makesTheFirstPossibleCall_orNone(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, s := range eachCase(ctx) {
			s.enable()
			chosen, err := asyncio.TrySelect(ctx, nil, s.c)
			wantChosen(t, s.name, chosen, err, s.c, s.err)
			if !s.made() {
				t.Errorf("%s: the call was not made", s.name)
			}
		}
		return nil
	})
}

func TestSelect_ofSeveralPossible_takesTheFirstArgumentAndLeavesTheOthers(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b, full := asyncio.NewQueue[int](0), asyncio.NewQueue[int](0), asyncio.NewQueue[int](1)
		a.TryPut(1)
		b.TryPut(2)
		semaphore := asyncio.NewSemaphore(1)
		fromA, fromB, put := a.Getting(), b.Getting(), full.Putting(3)
		for _, order := range [][]asyncio.Case{{fromB, fromA, put, semaphore.Acquiring()}, {fromA, semaphore.Acquiring(), put}} {
			chosen, err := asyncio.Select(ctx, order...)
			wantChosen(t, "Select", chosen, err, order[0], nil)
		}
		if fromA.Value != 1 || fromB.Value != 2 || full.Len() != 0 || semaphore.Locked() {
			t.Errorf("got %d and %d; %v, %v", fromA.Value, fromB.Value, full, semaphore)
		}
		return nil
	})
}

// A Race of two Gets drops the second item.
func TestSelect_twoQueuesServedInOneTurn_losesNoItem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := asyncio.NewQueue[int](0), asyncio.NewQueue[int](0)
		asyncio.RunningLoop(ctx).CallLater(time.Microsecond, func() { a.TryPut(1); b.TryPut(2) })
		get := a.Getting()
		chosen, err := asyncio.Select(ctx, get, b.Getting())
		wantChosen(t, "Select", chosen, err, get, nil)
		if get.Value != 1 || a.Len() != 0 || b.Len() != 1 {
			t.Errorf("got %d; %v and %v are left", get.Value, a, b)
		}
		return nil
	})
}

func TestSelect_firstServedWins_andIsOutOfTheOtherLinesAtOnce(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := asyncio.NewQueue[int](0), asyncio.NewQueue[int](0)
		fromA, fromB := a.Getting(), b.Getting()
		task := selecting(ctx, fromA, fromB, fromA)
		letWait(t, ctx)
		if a.String() != "a Queue (0 items, 2 get)" || b.String() != "a Queue (0 items, 1 get)" {
			t.Errorf("before: %v, %v", a, b)
		}
		b.TryPut(2)
		a.TryPut(1)
		if a.String() != "a Queue (1 items)" || b.String() != "a Queue (0 items)" {
			t.Errorf("afterwards: %v, %v", a, b)
		}
		chosen, err := task.Await(ctx)
		wantChosen(t, "Select", chosen, err, fromB, nil)
		return nil
	})
}

func TestSelect_standsInLineLikeEverybody(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q, other := asyncio.NewQueue[int](0), asyncio.NewQueue[int](0)
		var order []string
		get := func(name string) {
			asyncio.Go(ctx, func(ctx context.Context) error {
				_, err := q.Get(ctx)
				order = append(order, name)
				return err
			})
		}
		get("first")
		asyncio.Go(ctx, func(ctx context.Context) error {
			c := q.Getting()
			chosen, err := asyncio.Select(ctx, other.Getting(), c)
			wantChosen(t, "Select", chosen, err, c, nil)
			order = append(order, "selector")
			return nil
		})
		get("last")
		letWait(t, ctx)
		for n := range 3 {
			q.TryPut(n)
		}
		letWait(t, ctx)
		if want := []string{"first", "selector", "last"}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
		return nil
	}, fifo)
}

func TestSelect_twiceInOneLine_isServedByTheFirstArgument(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		first, second := q.Getting(), q.Getting()
		task := selecting(ctx, first, second)
		letWait(t, ctx)
		q.TryPut(1)
		chosen, err := task.Await(ctx)
		wantChosen(t, "Select", chosen, err, first, nil)
		return nil
	})
}

// Were it only told that there is something, the getter would always be quicker.
func TestSelect_besideAGetter_getsItsShare(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q, n := asyncio.NewQueue[int](1), 0
		var never asyncio.Event
		asyncio.Go(ctx, func(ctx context.Context) error {
			for _, err := range q.All(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			for get := q.Getting(); ; n++ {
				if _, err := asyncio.Select(ctx, &never, get); err != nil {
					return nil
				}
			}
		})
		for i := range 1000 {
			if err := q.Put(ctx, i); err != nil {
				return err
			}
		}
		q.Shutdown(false)
		task.Await(ctx)
		if n < 400 || n > 600 {
			t.Errorf("it got %d of 1000 items, want half of them", n)
		}
		return nil
	}, fifo)
}

func TestSelect_cancelled_hasTakenNothingAndStandsNowhere(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, s := range eachCase(ctx) {
			var never asyncio.Event
			boom := errors.New("boom")
			task := selecting(ctx, s.c, &never, s.c)
			letWait(t, ctx)
			task.Cancel(boom)
			if text := never.String(); !strings.HasSuffix(text, "(not set)") {
				t.Errorf("%s: right after the cancellation there is %s", s.name, text)
			}
			chosen, err := task.Await(ctx)
			wantChosen(t, s.name, chosen, err, nil, boom)
			s.enable()
			chosen, err = asyncio.TrySelect(ctx, s.c)
			wantChosen(t, s.name+" afterwards", chosen, err, s.c, s.err)
		}
		return nil
	})
}

func TestSelect_whatWasGrantedBeforeTheCancellation_isKept(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, s := range eachCase(ctx) {
			if s.name == "Task" || s.name == "Receiving" || s.name == "Sending" {
				continue // the first is cancelled with the selector, the others are in channel tests
			}
			var never asyncio.Event
			var chosen asyncio.Case
			var err error
			task := asyncio.Go(ctx, func(ctx context.Context) error {
				chosen, err = asyncio.Select(ctx, &never, s.c)
				return asyncio.Yield(ctx)
			})
			letWait(t, ctx)
			s.enable()
			task.Cancel()
			_, next := task.Await(ctx)
			wantChosen(t, s.name, chosen, err, s.c, s.err)
			wantErr(t, s.name+": the next wait", next, context.Canceled)
			if !s.made() {
				t.Errorf("%s: the call was not made", s.name)
			}
		}
		return nil
	})
}

func TestSelect_underADoneContext_doesNothingAndYields(t *testing.T) {
	run(t, func(ctx context.Context) error {
		boom := errors.New("boom")
		done, cancel := asyncio.WithCancel(ctx)
		cancel(boom)
		standard, cancelStandard := context.WithCancelCause(ctx)
		cancelStandard(boom)
		for _, done := range []context.Context{done, standard} {
			for _, s := range eachCase(ctx) {
				s.enable()
				others := 0
				asyncio.RunningLoop(ctx).CallSoon(func() { others++ })
				chosen, err := asyncio.Select(done, s.c)
				wantChosen(t, s.name, chosen, err, nil, boom)
				if others != 1 {
					t.Errorf("%s: the others have not run", s.name)
				}
				chosen, err = asyncio.TrySelect(done, s.c) // it is possible still, and TrySelect does not mind
				wantChosen(t, s.name, chosen, err, s.c, s.err)
			}
		}
		return nil
	})
}

// whimsical is a context that ends when it has been asked so many times whether it
// has.
type whimsical struct {
	context.Context
	done chan struct{}
	left *int
}

func (w whimsical) Done() <-chan struct{} { return w.done }

func (w whimsical) Err() error {
	if *w.left--; *w.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// A context that somebody else ends may end between the look at it and the wait.
// Then the wait lets others run, and must not be in line meanwhile.
func TestSelect_aContextThatEndsBetweenTheLookAndTheWait_leavesNobodyInLine(t *testing.T) {
	for n := range 6 {
		run(t, func(ctx context.Context) error {
			a, b := asyncio.NewQueue[int](0), asyncio.NewQueue[int](0)
			loop := asyncio.RunningLoop(ctx)
			task := asyncio.Go(ctx, func(ctx context.Context) error {
				loop.CallSoon(func() { a.TryPut(1); b.TryPut(2) }) // as soon as it waits or yields
				_, err := asyncio.Select(whimsical{ctx, make(chan struct{}), &n}, a.Getting(), b.Getting())
				return err
			})
			_, err := task.Await(ctx)
			left := 2
			if err == nil {
				left = 1
			}
			if a.Len()+b.Len() != left {
				t.Errorf("Select gave %v, and %v and %v are left", err, a, b)
			}
			return nil
		}, fifo)
	}
}

func TestSelect_aQueueThatIsShutDown_isThatCasesError(t *testing.T) {
	run(t, func(ctx context.Context) error {
		eachQueue := func(q anyQueue) {
			var never asyncio.Event
			get, put := q.Getting(), q.Putting(2)
			getter, putter := selecting(ctx, &never, get), selecting(ctx, put, &never)
			letWait(t, ctx)
			q.Shutdown(true)
			for _, c := range []struct {
				task *asyncio.Task[asyncio.Case]
				c    asyncio.Case
			}{{getter, get}, {putter, put}} {
				if chosen, err := c.task.Await(ctx); err != nil {
					wantChosen(t, "waiting", chosen, err, c.c, asyncio.ErrQueueShutDown)
				}
			}
			for _, c := range []asyncio.Case{get, put} {
				chosen, err := asyncio.Select(ctx, &never, c)
				wantChosen(t, "afterwards", chosen, err, c, asyncio.ErrQueueShutDown)
			}
		}
		for _, create := range queueKinds {
			eachQueue(create(0)) // only getters wait
			full := create(1)
			full.TryPut(1)
			eachQueue(full)
		}
		return nil
	})
}

func TestSelect_aQueueThatIsShutDown_givesWhatItStillHas(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		q.TryPut(1)
		q.Shutdown(false)
		get := q.Getting()
		chosen, err := asyncio.Select(ctx, get)
		wantChosen(t, "Select", chosen, err, get, nil)
		chosen, err = asyncio.Select(ctx, get)
		wantChosen(t, "when it is empty", chosen, err, get, asyncio.ErrQueueShutDown)
		return nil
	})
}

func TestSelect_roomInAQueueThatIsShutDownBeforeItRuns_isNotUsed(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](1)
		q.TryPut(1)
		put := q.Putting(2)
		task := selecting(ctx, &asyncio.Event{}, put)
		letWait(t, ctx)
		q.TryGet()
		q.Shutdown(false)
		chosen, err := task.Await(ctx)
		wantChosen(t, "Select", chosen, err, put, asyncio.ErrQueueShutDown)
		if q.Len() != 0 {
			t.Errorf("%v has taken an item", q)
		}
		return nil
	})
}

func TestSelect_aNilCase_isDisabled(t *testing.T) {
	var event *asyncio.Event
	var future *asyncio.Future[int]
	var task *asyncio.Task[int]
	var get *asyncio.QueueGet[int]
	var put *asyncio.QueuePut[int]
	var receive *asyncio.ChannelReceive[int]
	var send *asyncio.ChannelSend[int]
	var lock *asyncio.Lock
	var semaphore *asyncio.Semaphore
	var bounded *asyncio.BoundedSemaphore
	var ch chan int
	none := []asyncio.Case{nil, event, future, task, get, put, receive, send, asyncio.Receiving(ch), asyncio.Sending(ch, 1),
		&asyncio.QueueGet[int]{}, &asyncio.QueuePut[int]{}, lock.Acquiring(), semaphore.Acquiring(), bounded.Acquiring()}
	run(t, func(ctx context.Context) error {
		if chosen, err := asyncio.TrySelect(ctx, none...); chosen != nil || err != nil {
			t.Errorf("TrySelect chose %v, %v", chosen, err)
		}
		var last asyncio.Event
		for _, enable := range []func(){last.Set, func() { asyncio.RunningLoop(ctx).CallLater(time.Second, last.Set) }} {
			last.Clear()
			enable()
			chosen, err := asyncio.Select(ctx, append(slices.Clone(none), &last)...)
			wantChosen(t, "Select", chosen, err, &last, nil)
		}
		err := asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
			_, err := asyncio.Select(ctx, none...)
			return err
		})
		wantErr(t, "a Select of nothing", err, context.DeadlineExceeded)
		return nil
	})
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		_, err := asyncio.Select(ctx, none...)
		return err
	})
	wantText(t, report, "main waits for nothing, as all cases of its Select are nil")
}

func TestSelect_sleeping_endsAtItsTimeAndLeavesNoTimerBehind(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		long, short, same := asyncio.Sleeping(time.Hour), asyncio.Sleeping(time.Minute), asyncio.Sleeping(time.Minute)
		var never asyncio.Event
		for range 2 { // a case can be used again
			start := loop.Time()
			chosen, err := asyncio.Select(ctx, long, &never, short, same, long)
			wantChosen(t, "Select", chosen, err, short, nil)
			if took := loop.Time() - start; took != time.Minute {
				t.Errorf("took %v", took)
			}
		}
		none := asyncio.Sleeping(0)
		chosen, err := asyncio.Select(ctx, &never, none, long)
		wantChosen(t, "no time", chosen, err, none, nil)
		loop.CallLater(time.Second, never.Set)
		chosen, err = asyncio.Select(ctx, long, &never)
		wantChosen(t, "Select", chosen, err, &never, nil)
		return nil
	})
	report := deadlocked(t, context.Background(), func(ctx context.Context) error { // at once, not after an hour
		var set, never asyncio.Event
		asyncio.Go(ctx, func(context.Context) error { set.Set(); return nil })
		asyncio.Select(ctx, &set, asyncio.Sleeping(time.Hour))
		return never.Wait(ctx)
	})
	wantText(t, report, "main waits for an Event")
}

func TestSelect_ofTwoTasks_returnsTheFirstToEnd(t *testing.T) {
	run(t, func(ctx context.Context) error {
		slow, fast := asyncio.CreateTask(ctx, after(2*time.Second, 1, nil)), asyncio.CreateTask(ctx, after(time.Second, 2, nil))
		chosen, err := asyncio.Select(ctx, slow, fast)
		wantChosen(t, "Select", chosen, err, fast, nil)
		if v, err := fast.Result(); v != 2 || err != nil || slow.Done() {
			t.Errorf("got %d, %v; the other one is done: %v", v, err, slow.Done())
		}
		_, err = slow.Await(ctx)
		return err
	})
}

// An error counts as seen only by who was woken for it: a selector that has gone on
// by then has not seen it.
func TestSelect_theErrorOfAFutureThatWasNotChosen_isReported(t *testing.T) {
	boom := errors.New("boom")
	var reports []error
	run(t, func(ctx context.Context) error {
		var first asyncio.Event
		unseen, seen := newFuture[int](ctx), newFuture[int](ctx)
		tasks := []*asyncio.Task[asyncio.Case]{selecting(ctx, &first, unseen), selecting(ctx, seen)}
		letWait(t, ctx)
		first.Set()
		unseen.SetError(boom)
		seen.SetError(errors.New("seen"))
		for _, task := range tasks {
			task.Await(ctx)
		}
		ended := newFuture[int](ctx)
		ended.SetError(errors.New("seen at once"))
		asyncio.Select(ctx, ended)
		return asyncio.Sleep(ctx, time.Minute)
	}, asyncio.WithExceptionHandler(func(i asyncio.ExceptionInfo) { reports = append(reports, i.Err) }))
	if len(reports) != 1 || reports[0] != boom {
		t.Errorf("reported %v, want boom", reports)
	}
}

// Woken for a try that fails, it stands in all lines anew.
func TestSelect_aCaseThatCannotBeMadeOnceWoken_isTriedAgainWithAllOthers(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := asyncio.NewQueue[int](0)
		var bell doorbell
		task := selecting(ctx, lowlevel.CaseOutside(&bell), q.Getting())
		letWait(t, ctx)
		bell.line.WakeAll()
		letWait(t, ctx)
		if task.Done() || bell.line.Len() != 1 || q.String() != "a Queue (0 items, 1 get)" {
			t.Errorf("after a false alarm: done %v, %d in line, %v", task.Done(), bell.line.Len(), q)
		}
		bell.rung = true
		bell.line.WakeAll()
		chosen, err := task.Await(ctx)
		wantChosen(t, "Select", chosen, err, lowlevel.CaseOutside(&bell), nil)
		if q.String() != "a Queue (0 items)" {
			t.Errorf("at the end: %v", q)
		}
		return nil
	})
}

type doorbell struct {
	rung bool
	line lowlevel.WaitQueue
}

func (d *doorbell) WaitName() string          { return "a doorbell" }
func (d *doorbell) Line() *lowlevel.WaitQueue { return &d.line }
func (d *doorbell) Try() (bool, error)        { return d.rung, nil }
func (d *doorbell) Woken() (bool, error)      { return d.rung, nil }

func TestSelect_ofWhatComesFromOutside_isNoDeadlockWhileItWaits(t *testing.T) {
	loop := clockLoop(t)
	var bell doorbell
	var chosen asyncio.Case
	asyncio.RunThreadsafe(loop, func(ctx context.Context) (_ int, err error) {
		chosen, err = asyncio.Select(ctx, lowlevel.CaseOutside(&bell))
		return 0, err
	})
	time.AfterFunc(time.Millisecond, func() {
		loop.CallSoonThreadsafe(func() { bell.rung = true; bell.line.WakeAll() })
	})
	runAll(loop) // gives up at once if nothing can come
	wantChosen(t, "Select", chosen, nil, lowlevel.CaseOutside(&bell), nil)

	for _, outside := range []asyncio.Case{lowlevel.CaseOutside(&doorbell{}), asyncio.Receiving(make(chan int))} {
		report := deadlocked(t, context.Background(), func(ctx context.Context) error {
			var set, never asyncio.Event
			asyncio.Go(ctx, func(context.Context) error { set.Set(); return nil })
			asyncio.Select(ctx, &set, outside)
			return never.Wait(ctx)
		})
		wantText(t, report, "main waits for an Event")
	}
}

func TestSelect_misused_saysSo(t *testing.T) {
	other := clockLoop(t)
	var strange []asyncio.Case
	asyncio.RunThreadsafe(other, func(ctx context.Context) (int, error) { // other owns them from now on
		event, queue, semaphore, future := &asyncio.Event{}, asyncio.NewQueue[int](0), asyncio.NewSemaphore(0), newFuture[int](ctx)
		lock := &asyncio.Lock{}
		lock.TryAcquire(ctx)
		event.Clear()
		queue.TryGet()
		semaphore.TryAcquire()
		bell := &doorbell{}
		asyncio.Go(ctx, func(ctx context.Context) error { return bell.line.Wait(ctx, bell) })
		strange = append(strange, event, queue.Getting(), queue.Putting(1), semaphore.Acquiring(), future, lock.Acquiring(), lowlevel.Case(bell))
		return 0, nil
	})
	runAll(other)
	if len(strange) == 0 {
		t.Fatal("the other loop has not run")
	}
	run(t, func(ctx context.Context) error {
		for _, c := range strange {
			if _, err := asyncio.Select(ctx, c); err == nil || !strings.Contains(err.Error(), "belongs to another event loop") {
				t.Errorf("%T of another loop: %v", c, err)
			}
		}
		task := selecting(ctx)
		var self *asyncio.Task[asyncio.Case]
		self = asyncio.CreateTask(ctx, func(ctx context.Context) (asyncio.Case, error) { return asyncio.Select(ctx, self) })
		if _, err := self.Await(ctx); err == nil || !strings.Contains(err.Error(), "cannot wait for itself") {
			t.Errorf("a task that selects itself: %v", err)
		}
		for name, call := range map[string]func(context.Context, ...asyncio.Case) (asyncio.Case, error){
			"Select": asyncio.Select, "TrySelect": asyncio.TrySelect,
		} {
			if _, err := call(context.Background()); !errors.Is(err, asyncio.ErrNotOnLoop) {
				t.Errorf("%s with no loop's context: %v", name, err)
			}
			if _, err := call(task.Context()); !errors.Is(err, asyncio.ErrWrongContext) {
				t.Errorf("%s with another task's context: %v", name, err)
			}
			elsewhere(func() {
				if _, err := call(ctx); !errors.Is(err, asyncio.ErrWrongGoroutine) {
					t.Errorf("%s on another goroutine: %v", name, err)
				}
			})
		}
		task.Cancel()
		return nil
	})
}

func TestSelect_returned_keepsNothingOfItsCases(t *testing.T) {
	run(t, func(ctx context.Context) error {
		chosen := selectOnce(ctx)
		runtime.GC()
		if chosen.Value() != nil {
			t.Error("the case is still in memory")
		}
		return nil
	})
}

// selectOnce waits for a future as one of many cases, and returns whether it is still
// in memory.
func selectOnce(ctx context.Context) weak.Pointer[intFuture] {
	f := newFuture[int](ctx)
	asyncio.RunningLoop(ctx).CallSoon(func() { f.SetResult(1) })
	asyncio.Select(ctx, &asyncio.Event{}, &asyncio.Event{}, &asyncio.Event{}, &asyncio.Event{}, f)
	return weak.Make(f)
}

func TestSelect_allocatesNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		a, b := asyncio.NewQueue[int](0), asyncio.NewQueue[int](1)
		semaphore := asyncio.NewSemaphore(1)
		var never, lockedOut asyncio.Event
		var lock asyncio.Lock
		future := newFuture[int](ctx)
		get, put, idle := a.Getting(), b.Putting(1), asyncio.Sleeping(time.Hour)
		allocates(t, "a Select of what is there", 0, func() {
			a.TryPut(1)
			asyncio.Select(ctx, &never, future, get)
			asyncio.Select(ctx, &never, put)
			asyncio.Select(ctx, semaphore.Acquiring(), lock.Acquiring())
			asyncio.TrySelect(ctx, &lockedOut, lock.Acquiring())
			b.TryGet()
			lock.Release()
			semaphore.Release()
		})
		b.TryPut(1)
		lock.TryAcquire(ctx)
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			for {
				if _, err := asyncio.Select(ctx, &never, lock.Acquiring(), get, future, put, idle); err != nil {
					return err
				}
			}
		})
		asyncio.Yield(ctx)
		allocates(t, "a Select that waits", 0, func() {
			a.TryPut(1)
			asyncio.Yield(ctx)
		})
		task.Cancel()
		return nil
	}, fifo, asyncio.WithWatchdog(0))
}

func TestSelect_reportsNameAllThatItWaitsFor(t *testing.T) {
	var event asyncio.Event
	var lock asyncio.Lock
	run(t, func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		lock.TryAcquire(ctx)
		held := asyncio.Go(ctx, event.Wait, asyncio.Name("held"))
		ch := make(chan int)
		selector := selecting(ctx, &event, lock.Acquiring(), held, asyncio.NewQueue[int](0).Getting(), asyncio.Sleeping(time.Hour), asyncio.Receiving(ch))
		letWait(t, ctx)
		wantAll(t, dump(t, loop), "held waits for an Event", "awaited by selector",
			"selector waits for the first of: an Event; a Lock held by main; held; an item of a Queue; a timer; a value from a channel (at ", "select_test.go:")
		graph := asyncio.CaptureCallGraph(held)
		if len(graph.AwaitedBy) != 1 || graph.AwaitedBy[0].Name != "selector" {
			t.Errorf("the call graph of what it awaits:\n%v", graph)
		}
		if stack := selector.Stack(); len(stack) == 0 || !strings.HasSuffix(stack[0].Function, "asyncio.Select") {
			t.Errorf("its stack begins with %v", stack)
		}
		event.Set()
		return nil
	})
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		var never asyncio.Event
		_, err := asyncio.Select(ctx, &never, asyncio.NewSemaphore(0).Acquiring())
		return err
	})
	wantText(t, report, "main waits for the first of: an Event; a Semaphore", "select_test.go:")
	var b bytes.Buffer
	run(t, func(ctx context.Context) error {
		var event asyncio.Event
		selector := selecting(ctx, &event, asyncio.Sleeping(time.Second))
		letWait(t, ctx)
		event.Set()
		_, err := selector.Await(ctx)
		return err
	}, asyncio.WithTrace(asyncio.NewTrace(&b)))
	wantText(t, b.String(), "waits for the first of: an Event; a timer")
}

func TestSelect_inDebugMode_isKnownAsTheHolderOfItsPermit(t *testing.T) {
	report := deadlocked(t, context.Background(), func(ctx context.Context) error {
		s := asyncio.NewSemaphore(1)
		asyncio.Select(ctx, s.Acquiring())
		return s.Acquire(ctx)
	}, asyncio.WithDebug(true))
	wantText(t, report, "main waits for a Semaphore held by main")
}
