package asyncio

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// ReturnWhen says what [Wait] waits for.
type ReturnWhen int

const (
	// AllCompleted waits until all of the futures are done.
	AllCompleted ReturnWhen = iota
	// FirstCompleted waits until one of them is done.
	FirstCompleted
	// FirstError waits until one of them has failed, or all are done. One that
	// was cancelled has not failed.
	FirstError
)

// Wait waits for several tasks or futures and returns those that are done and
// those that are still pending, each in the order of the arguments (asyncio's
// wait). One that is given twice counts once.
//
// Wait cancels none of them, and neither returns nor looks at their errors: a
// task that has failed is still reported as never retrieved, unless somebody
// asks for its result. What is done when Wait returns counts as done, even if
// something else has ended the wait. If what is waited for has happened already,
// Wait returns at once, whatever the state of ctx.
//
// err says that it has not happened: ctx has ended before, and err is its cause.
// So a timeout is one of ctx. The sets are right then, too; the futures go on.
// It is an error, and the sets are nil, if there are no futures, if one belongs
// to another loop or is the caller itself, or if when is none of the constants.
//
// A call takes time and memory in proportion to the number of futures, in a few
// allocations, and leaves nothing behind on those that are still pending.
func Wait[A AnyFuture](ctx context.Context, when ReturnWhen, futures ...A) (done, pending []A, err error) {
	mustFutures("Wait", futures)
	p, err := engine.Running(ctx)
	if err != nil {
		return nil, nil, engine.AtOnce(err)
	}
	s := &waiting[A]{when: when}
	err = s.take(p, futures) // before others run, who may change the caller's slice
	if p.Step(); err != nil {
		return nil, nil, err
	}
	if !s.ready() {
		err = s.wait(ctx, p)
	}
	if s.enough() {
		err = nil
	}
	done, pending = s.sets()
	return done, pending, err
}

// waiting is a call of Wait.
type waiting[A AnyFuture] struct {
	queue   engine.WaitQueue // of the one task
	when    ReturnWhen
	futures []A
	watches []engine.Watch // of the futures, one each
	done    int
	failed  bool
}

// take takes over what the caller has given, and says if that is wrong.
func (s *waiting[A]) take(p *engine.Parking, futures []A) (err error) {
	if len(futures) == 0 {
		return fmt.Errorf("asyncio: Wait: there are no futures to wait for")
	}
	if s.when < AllCompleted || s.when > FirstError {
		return fmt.Errorf("asyncio: Wait: %d is none of AllCompleted, FirstCompleted and FirstError", s.when)
	}
	s.futures, s.watches, err = watch("Wait", p, s, futures)
	return err
}

// ready counts those that are done at the beginning; see enough.
func (s *waiting[A]) ready() bool {
	for i := range s.watches {
		if f := s.watches[i].Of(); f.Done() {
			s.count(f)
		}
	}
	return s.enough()
}

func (s *waiting[A]) count(f *engine.Future) {
	s.done++
	if f.Failed() {
		s.failed = true
	}
}

// enough reports whether what is waited for has happened.
func (s *waiting[A]) enough() bool {
	return s.done == len(s.watches) ||
		s.when == FirstCompleted && s.done > 0 ||
		s.when == FirstError && s.failed
}

func (s *waiting[A]) wait(ctx context.Context, p *engine.Parking) error {
	defer s.forget()
	for i := range s.watches {
		if !s.watches[i].Of().Done() {
			s.watches[i].Begin()
		}
	}
	p.BehindAll()
	return p.Wait(ctx, &s.queue, s)
}

func (s *waiting[A]) forget() {
	for i := range s.watches {
		s.watches[i].End()
	}
}

func (s *waiting[A]) Settled(w *engine.Watch) {
	s.count(w.Of())
	if s.enough() {
		s.queue.WakeAll()
	}
}

func (s *waiting[A]) Line() *engine.WaitQueue { return &s.queue }

func (s *waiting[A]) sets() (done, rest []A) {
	done = make([]A, 0, s.done)
	rest = make([]A, 0, len(s.futures)-s.done)
	for i, f := range s.futures {
		if s.watches[i].Of().Done() {
			done = append(done, f)
		} else {
			rest = append(rest, f)
		}
	}
	return done, rest
}

// WaitName names the futures in reports.
func (s *waiting[A]) WaitName() string {
	what := "all"
	switch s.when {
	case FirstCompleted:
		what = "the first"
	case FirstError:
		what = "the first error"
	}
	return what + " of " + namesOf(s.futures, s.watches)
}

// WokenBy yields the tasks that are still pending, if it is up to tasks alone. A
// bare future is set by somebody who is not known.
func (s *waiting[A]) WokenBy(yield func(*engine.Task) bool) engine.Wakers {
	any := s.when != AllCompleted
	tasksOf(s.futures, s.watches, any, yield)
	return engine.Wakers{Any: any}
}
