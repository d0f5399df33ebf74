package asyncio

import (
	"context"
	"iter"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A Stream begins a sequence of values, each of which may be an error instead. The
// sequence may wait between them, with the context that it is given: it is read by a
// task of its own. The method value of [Queue.All] is a Stream, and so is what
// [MapSeq] returns; [StreamOf] makes one of a sequence that does not wait.
type Stream[T any] = func(ctx context.Context) iter.Seq2[T, error]

// StreamOf returns the stream of the values of seq, none of which is an error.
func StreamOf[T any](seq iter.Seq[T]) Stream[T] {
	if seq == nil {
		panic("asyncio: StreamOf: nil sequence")
	}
	return func(context.Context) iter.Seq2[T, error] {
		return func(yield func(T, error) bool) {
			for v := range seq {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// MapSeq returns the stream of what fn makes of the values of source, in their
// order, while at most limit of them are in work or done and not yet taken. So a
// consumer slows down what is before it, and stages make a pipeline:
//
//	pages := asyncio.MapSeq(8, urls.All, fetch)
//	for summary, err := range asyncio.MapSeq(2, pages, summarise)(ctx) {
//		...
//	}
//
// An error of fn, or of source, is given in its place and concerns nothing else; a
// panic is a [*PanicError]. Whether an error ends all is for the range to say: who
// breaks out of it, or panics there, cancels what is in work and the reading of
// source, and waits for their end. What was read and not handed out is lost then,
// and a failure in it is reported to the exception handler. If ctx is cancelled, so
// is all that, and the errors say so.
//
// Nothing starts before the range does. Each value costs a task; [Map] is for all
// results at once. MapSeq panics if limit < 1.
//
//go:noinline
func MapSeq[A, B any](limit int, source Stream[A], fn func(ctx context.Context, a A) (B, error)) Stream[B] {
	return mapSeq("MapSeq", limit, true, source, fn, callerpc.Get())
}

// MapAsCompleted is [MapSeq] which gives the results in the order in which they come.
//
//go:noinline
func MapAsCompleted[A, B any](limit int, source Stream[A], fn func(ctx context.Context, a A) (B, error)) Stream[B] {
	return mapSeq("MapAsCompleted", limit, false, source, fn, callerpc.Get())
}

func mapSeq[A, B any](call string, limit int, ordered bool, source Stream[A], fn func(ctx context.Context, a A) (B, error), origin uintptr) Stream[B] {
	if source == nil || fn == nil {
		panic("asyncio: " + call + ": nil Stream or function")
	}
	if err := checkLimit(call, limit); err != nil {
		panic(err.Error())
	}
	return func(ctx context.Context) iter.Seq2[B, error] {
		return func(yield func(B, error) bool) {
			p, err := engine.Running(ctx)
			if err == nil {
				err = p.Refuse()
			}
			if err != nil {
				var zero B
				yield(zero, engine.AtOnce(err))
				return
			}
			m := &mapping[A, B]{call: call, source: source, fn: fn, origin: origin, room: NewSemaphore(limit)}
			m.ordered = ordered
			m.each(ctx, p, yield)
		}
	}
}

// mapping is a range over a MapSeq.
type mapping[A, B any] struct {
	outcomes[B]
	call   string
	source Stream[A]
	fn     func(ctx context.Context, a A) (B, error)
	origin uintptr
	room   *Semaphore // a permit is out for each value that was read and not handed out
}

func (m *mapping[A, B]) each(ctx context.Context, p *engine.Parking, yield func(B, error) bool) {
	m.open(ctx, p)
	reader := &sourceReader{plainChild: plainChild{child[None]{created: plain(m.read)}}}
	over := false
	defer func() {
		m.close(p)
		if !over {
			unread(&reader.task)
		}
	}()
	reader.start(reader, &m.group, m.call, nil, m.origin)
	for {
		p.Step()
		t := m.next(p)
		if t == nil {
			break
		}
		m.room.Release()
		if !yield(t.value, t.task.Peek()) {
			return
		}
	}
	over = true
	if err := reader.task.Peek(); err != nil {
		var zero B
		yield(zero, err)
	}
}

// read starts a task for each value of the source, when there is room. Room comes
// before reading: nothing is taken from the source that could not be worked on.
func (m *mapping[A, B]) read(ctx context.Context) error {
	if err := m.room.Acquire(ctx); err != nil {
		return err
	}
	for a, err := range m.source(ctx) {
		if err != nil && engine.CauseOf(ctx) != nil {
			return err // which mostly says just that
		}
		m.spawn(m.call, m.work(a, err), nil, m.origin)
		if err := m.room.Acquire(ctx); err != nil {
			return err
		}
	}
	return nil
}

// work is what is done with a value of the source, or an error of it.
func (m *mapping[A, B]) work(a A, failed error) Coroutine[B] {
	return func(ctx context.Context) (B, error) {
		if failed != nil {
			var zero B
			return zero, failed
		}
		return m.fn(ctx, a)
	}
}

// sourceReader is the task that reads the source: its end may be that of the range.
type sourceReader struct{ plainChild }

func (t *sourceReader) Ended() {
	t.group.gone()
	t.group.joined.WakeAll()
}
