package asyncio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// Race runs the functions as tasks beside one another and returns the result of
// the first to succeed. The others are cancelled then, and Race returns when
// they have ended. If none succeeds it returns their errors, joined. It is
// [StaggeredRace] without a delay, for when the result is all that matters.
//
// A loser may have succeeded, too, in the same turn or because it does not look at
// its context, or have done half of its work: its result is dropped. So do not race
// calls that take something, such as two Queue.Get: an item, a permit or a
// connection would be lost. [Select] makes exactly one of several calls.
//
// If ctx is cancelled, so are the tasks, and Race returns the cause when they
// have ended, unless one of them succeeded nevertheless. With a result or a
// cancellation to return, the errors of the tasks are dropped, but for panics:
// those are reported through the exception handler.
//
//go:noinline
func Race[T any](ctx context.Context, fns ...Coroutine[T]) (T, error) {
	r := &race[T]{winner: -1, origin: callerpc.Get()}
	err := r.run(ctx, "Race", 0, fns)
	var none T
	if r.winner < 0 && !r.cut(ctx, fns) {
		if len(fns) == 0 && err == nil {
			err = errors.New("asyncio: Race: there are no functions, so none can win")
		}
		return none, err
	}
	r.reportPanics()
	if r.winner < 0 {
		return none, engine.CauseOf(ctx)
	}
	return r.tasks[r.winner].value, nil
}

// StaggeredRace starts the functions as tasks, one after another, and returns
// the result of the first to succeed, and which it was (asyncio's
// staggered_race, the base of happy eyeballs, RFC 8305). The next one is started
// when delay has passed, or at once when the one started last has failed. With a
// delay of zero or less all are started at once, with [Forever] one has to fail
// before the next is started. When one has won, no more are
// started, the others are cancelled, and StaggeredRace returns when they have
// ended.
//
// errs has an entry for each function that was started: nil for the winner, for
// another one what it failed with, be that before or while it was cancelled. One
// that was merely cancelled, or succeeded too late, has an error there that is a
// [context.Canceled]. If none succeeds, winner is -1 and v the zero value. An
// error in calling it is in every entry.
//
// Who wins is decided when a function returns. So one that made something which
// has to be closed looks at its context last: if that is not done, and it
// returns without waiting, then it has won; or else it closes the thing.
//
// If ctx is cancelled, so are the tasks, and no more are started. Their errors,
// and the next wait under ctx, say so.
//
//go:noinline
func StaggeredRace[T any](ctx context.Context, delay time.Duration, fns ...Coroutine[T]) (v T, winner int, errs []error) {
	r := &race[T]{winner: -1, origin: callerpc.Get()}
	err := r.run(ctx, "StaggeredRace", delay, fns)
	if len(r.tasks) == 0 {
		errs = make([]error, len(fns))
		for i := range errs {
			errs[i] = err
		}
		return v, -1, errs
	}
	errs = make([]error, len(r.tasks))
	for i, t := range r.tasks {
		if i == r.winner {
			v = t.value
		} else {
			errs[i] = cmp.Or(t.task.Peek(), errLost)
		}
	}
	return v, r.winner, errs
}

// errLost is why the others are cancelled when one has won.
var errLost = fmt.Errorf("asyncio: another one has won the race: %w", context.Canceled)

// race is a race under way. It watches its tasks, so as to decide on the loop,
// at the moment of their end, who was the first.
type race[T any] struct {
	group   TaskGroup
	tasks   []*Task[T]       // those started
	watches []engine.Watch   // of the tasks
	winner  int              // -1: none yet
	origin  uintptr          // of the call
	queue   engine.WaitQueue // of the calling task, while it starts them
	alarm   engine.Alarm     // for the next to start
}

func (r *race[T]) run(ctx context.Context, call string, delay time.Duration, fns []Coroutine[T]) error {
	for _, fn := range fns {
		if fn == nil {
			panic("asyncio: " + call + ": nil function")
		}
	}
	r.group.tolerant = true
	r.tasks = make([]*Task[T], 0, len(fns))
	r.watches = make([]engine.Watch, len(fns))
	return r.group.run(ctx, func(ctx context.Context, g *TaskGroup) error {
		r.alarm.InitAtOnce(r)
		for i, fn := range fns {
			if i > 0 {
				if err := r.pause(ctx, delay); err != nil {
					return err
				}
			}
			r.start(i, fn)
		}
		return nil
	})
}

func (r *race[T]) start(i int, fn Coroutine[T]) {
	t := spawn(&r.group, fn, r.origin)
	r.tasks = append(r.tasks, t)
	w := &r.watches[i]
	*w = engine.MakeWatch(r, &t.task.Future, i)
	if !t.Done() {
		w.Begin()
	} else { // it was eager
		r.Settled(w)
	}
}

// pause waits until the next may start, and fails if no more shall.
func (r *race[T]) pause(ctx context.Context, delay time.Duration) error {
	if delay > 0 && !r.tasks[len(r.tasks)-1].Done() {
		p, err := engine.Running(ctx)
		if err != nil {
			return err
		}
		l := p.Loop()
		if when := engine.AddTime(l.Time(), delay); when != Forever {
			l.Arm(&r.alarm, when)
		}
		err = p.Wait(ctx, &r.queue, r)
		l.Disarm(&r.alarm)
		if err != nil {
			return err
		}
	}
	return engine.CauseOf(ctx)
}

// Fire is the alarm's: the next may start.
func (r *race[T]) Fire() { r.queue.WakeAll() }

func (r *race[T]) Settled(w *engine.Watch) {
	switch {
	case w.Of().Peek() != nil:
		if w.Index() == len(r.tasks)-1 {
			r.queue.WakeAll()
		}
	case r.winner < 0:
		r.winner = w.Index()
		r.group.scope.Cancel(errLost)
	}
}

func (r *race[T]) Line() *engine.WaitQueue { return &r.queue }

// WaitName says in reports what the race waits for while it starts its tasks.
func (r *race[T]) WaitName() string {
	return fmt.Sprintf("the time to start the next of its race, with %d under way", r.group.running)
}

// cut reports whether the race has ended because ctx has.
func (r *race[T]) cut(ctx context.Context, fns []Coroutine[T]) bool {
	return engine.CauseOf(ctx) != nil && (r.group.cut || 0 < len(r.tasks) && len(r.tasks) < len(fns))
}

func (r *race[T]) reportPanics() {
	for _, t := range r.tasks {
		if p := (*PanicError)(nil); errors.As(t.task.Peek(), &p) {
			r.group.scope.Loop().Report(engine.ExceptionInfo{
				Message: "a task panicked in a race whose outcome was another one", Err: t.task.Peek(), Task: t.Name(),
			})
		}
	}
}
