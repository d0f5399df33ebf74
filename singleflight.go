package asyncio

import (
	"context"

	"github.com/go-asyncio/asyncio/internal/callerpc"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A SingleFlight lets calls for the same key share one run, so that a hundred
// tasks that want the same page at once fetch it once
// (golang.org/x/sync/singleflight, between tasks). It is no cache: when a run has
// ended, the next call for its key starts another one.
//
// A run is a task of its own, which belongs to all that wait for it. Who is
// cancelled leaves; when the last one does, the run is cancelled. A run costs a
// task and an entry in a map; to join one allocates nothing. A SingleFlight
// belongs to one loop. The zero value is ready to use.
type SingleFlight[K comparable, V any] struct {
	// KeepRunning lets a run go on when nobody waits for it any more: for the next
	// one to come, or because it fills a cache.
	KeepRunning bool

	home engine.Home
	runs map[K]*flight[K, V]
}

// flight is one run.
type flight[K comparable, V any] struct {
	created[V]
	of      *SingleFlight[K, V]
	key     K
	callers int  // that wait for it
	shared  bool // there was a second one
}

// Do waits for the run for key that is under way, or starts one with fn, and
// returns its result. shared is true if that went to several callers, so that
// none of them may change what it points to. A panic of fn is returned to all of
// them as a [*PanicError].
//
// fn has the values of the ctx of the first caller, but not its cancellation and
// deadline: the others may want the result longer. It must not call Do for the
// same key.
//
// If ctx is done or ends first, Do returns its cause. The last caller for whom
// this is so cancels the run with that cause, unless KeepRunning is set, and
// returns when the run has ended; if that gives a result, or an error of its own,
// Do returns that. Who calls meanwhile starts a new run.
//
//go:noinline
func (s *SingleFlight[K, V]) Do(ctx context.Context, key K, fn Coroutine[V]) (v V, shared bool, err error) {
	if fn == nil {
		panic("asyncio: SingleFlight.Do: nil function")
	}
	p, err := s.home.Step(ctx)
	if err != nil {
		return v, false, err
	}
	if engine.CauseOf(ctx) != nil || p.Loop().Closing() {
		return v, false, p.Wait(ctx, nil, nil)
	}
	f := s.runs[key]
	if f == nil {
		f = s.start(ctx, key, fn, callerpc.Get())
	} else if err := engine.CanAwait("SingleFlight.Do", p.Task(), &f.task.Future, p.Loop()); err != nil {
		return v, false, err
	}
	f.callers++
	f.shared = f.shared || f.callers > 1
	v, err = f.Await(ctx)
	f.callers--
	if cause := engine.CauseOf(ctx); cause != nil && f.callers == 0 && !f.Done() && !s.KeepRunning {
		v, err = f.abandon(ctx, cause)
	}
	return v, f.shared, err
}

func (s *SingleFlight[K, V]) start(ctx context.Context, key K, fn Coroutine[V], origin uintptr) *flight[K, V] {
	l := s.home.Loop()
	ctx = context.WithoutCancel(ctx)
	spec := face(l).specify(ctx, nil)
	f := &flight[K, V]{created: created[V]{Task[V]{fn: fn}}, of: s, key: key}
	if s.runs == nil {
		s.runs = map[K]*flight[K, V]{}
	}
	s.runs[key] = f // before it begins, which may be its end if it is eager
	f.task.Begin(l, ctx, f, spec, origin)
	return f
}

// abandon ends a run that nobody wants any more, for the last who did.
func (f *flight[K, V]) abandon(ctx context.Context, cause error) (V, error) {
	f.forget()
	f.Cancel(cause)
	v, err := f.Await(context.WithoutCancel(ctx))
	if f.Cancelled() {
		err = cause
	}
	return v, err
}

// Ended is told when the run has ended.
func (f *flight[K, V]) Ended() { f.forget() }

func (f *flight[K, V]) forget() {
	if f.of.runs[f.key] == f {
		delete(f.of.runs, f.key)
	}
}

// Forget lets the next call for key start a run, even if one is under way. Who
// waits for that goes on waiting.
func (s *SingleFlight[K, V]) Forget(key K) {
	s.home.Check("SingleFlight.Forget")
	delete(s.runs, key)
}
