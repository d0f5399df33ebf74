package engine

import "context"

// Both returns the running task's Parking and a context for its waits that ends
// with ctx, whatever task that is of, and with the innermost block of the running
// task. Who got it calls leave.
func Both(ctx context.Context) (p *Parking, both context.Context, leave func(), err error) {
	if p, err = Running(ctx); err == nil {
		return p, ctx, func() {}, nil
	}
	near, kind := relate(ctx)
	if near == nil || near.task == nil || !near.loop.On() || near.loop.current == nil {
		return nil, nil, nil, err
	}
	l, t := near.loop, near.loop.current
	s := &Scope{}
	s.Open(l, t, t.at.block)
	leave = s.Close
	if cause := CauseOf(ctx); cause != nil {
		s.Cancel(cause)
	} else if kind == ctxScope {
		stop := near.Ctx().AfterFunc(func() { s.Cancel(near.Cause()) })
		leave = func() { stop(); s.Close() }
	} else if kind == ctxForeign {
		f := l.follow(ctx, s.Cancel)
		leave = func() { f.unfollow(); s.Close() }
	}
	return t.at, s.Ctx(), leave, nil
}
