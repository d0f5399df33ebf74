package asyncio

import (
	"context"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// GetBatch removes several items and returns them: at least one, for which it waits
// as Get does, and at most n. After the first it waits for more, but not longer than
// within; with a within of zero it takes what is there, and with [Forever] it waits
// for n. It is for work that is cheaper by the dozen, like writes to a database.
//
// If ctx is done or ends before the first item is there, GetBatch returns its cause; if
// the queue is empty and is or gets shut down, [ErrQueueShutDown]. Then it removes none.
// If that comes later, GetBatch returns the items that it has, at once, and no error:
// nothing is lost. It returns an error if n < 1. It allocates the slice.
func (q *queue[T]) GetBatch(ctx context.Context, n int, within time.Duration) ([]T, error) {
	if n < 1 {
		return nil, engine.AtOnce(fmt.Errorf("asyncio: %v.GetBatch: n is %d; it must be at least 1", q.kind, n))
	}
	p, err := engine.Running(ctx)
	if err != nil {
		return nil, engine.AtOnce(err)
	}
	v, err := q.Get(ctx)
	if err != nil {
		return nil, err
	}
	batch := q.drain(append(make([]T, 0, min(n, q.free+1)), v), n)
	end := engine.AddTime(p.Loop().Time(), within)
	for len(batch) < n && q.getUntil(ctx, p, end) {
		q.promised--
		batch = q.drain(append(batch, q.take()), n)
	}
	if p.Spend(len(batch)-1, 0) {
		p.LetOthers()
	}
	return batch, nil
}

// drain appends what is there until there are n.
func (q *queue[T]) drain(batch []T, n int) []T {
	for len(batch) < n {
		v, err := q.TryGet()
		if err != nil {
			break
		}
		batch = append(batch, v)
	}
	return batch
}

// getUntil waits for an item, and reports false if none is promised until end.
func (q *queue[T]) getUntil(ctx context.Context, p *engine.Parking, end time.Duration) bool {
	left := end - p.Loop().Time()
	if q.down || left <= 0 {
		return false
	}
	s := p.Select()
	s.Case(0)
	s.Line(&q.getters, q.item())
	if end != Forever {
		s.Case(1)
		s.Alarm(left)
	}
	i, err := s.Wait(ctx)
	return i == 0 && err == nil
}
