package asyncio

import "github.com/go-asyncio/asyncio/internal/engine"

func (t *Task[T]) selecting() engine.Case {
	if t == nil {
		return nil
	}
	return (*taskCase)(&t.task)
}

// taskCase is a task as a case of [Select]: its result is awaited.
type taskCase engine.Task

func (t *taskCase) Try(p *engine.Parking) (bool, error) {
	return tryFuture(p, &t.Future, t.Scope.Loop())
}

func (t *taskCase) Enter(s *engine.Selection)             { s.Line(t.Line(), (*engine.Task)(t)) }
func (t *taskCase) Woken(p *engine.Parking) (bool, error) { return true, t.Seen(p.Loop()) }

func (f *Future[T]) selecting() engine.Case { return enabled((*futureCase[T])(f)) }

// futureCase is a future as a case of [Select]: its result is awaited.
type futureCase[T any] Future[T]

func (f *futureCase[T]) Try(p *engine.Parking) (bool, error) {
	return tryFuture(p, &f.future, f.loop)
}

func (f *futureCase[T]) Enter(s *engine.Selection) {
	s.Line(f.future.Line(), (*waitFuture[T])(f))
}

func (f *futureCase[T]) Woken(p *engine.Parking) (bool, error) { return true, f.future.Seen(p.Loop()) }

func tryFuture(p *engine.Parking, f *engine.Future, l *engine.Loop) (bool, error) {
	if err := engine.CanAwait("Select", p.Task(), f, l); err != nil {
		return true, err
	}
	if !f.Done() {
		return false, nil
	}
	return true, f.Seen(l)
}
