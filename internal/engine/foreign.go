package engine

import (
	"context"
	"slices"
)

// A foreign is a context on which something on the loop depends, and which
// somebody else may cancel: one of the standard library's, mostly.
type foreign struct {
	loop  *Loop
	ctx   context.Context
	ended func(cause error) // is told on the loop, at most once
	index int               // in the loop's list, -1 when not followed any more
	count *int              // of those outside, among whom it is
	near  *scopeExt         // of the scope in which ctx was made, and which ends it; nil: none does
	stop  func() bool
}

// follow calls ended when ctx has ended, unless unfollow comes before.
func (l *Loop) follow(ctx context.Context, ended func(cause error)) *foreign {
	f := &foreign{loop: l, ctx: ctx, ended: ended, index: l.foreigns.n()}
	l.foreigns.add(f)
	f.count = l.countFor(ctx)
	*f.count++
	if s := scopeAround(ctx); s != nil && s.loop == l {
		if e := s.ext.Load(); e != nil && !e.ended {
			f.near = e
			e.below++
		}
	}
	f.stop = context.AfterFunc(ctx, func() { l.Post(f.tell) })
	return f
}

func (f *foreign) unfollow() {
	if f.index < 0 {
		return
	}
	f.loop.foreigns.remove(f)
	*f.count--
	if f.near != nil {
		f.near.below--
	}
	f.stop()
}

func (f *foreign) tell() {
	if f.index >= 0 {
		f.unfollow()
		f.ended(context.Cause(f.ctx))
	}
}

// lookAtForeigns tells of what has ended, in the order in which it was followed,
// without waiting for the goroutine of context.AfterFunc to say so. A virtual
// clock must not go on before that: whoever was cancelled by the loop itself
// must not find that an hour has passed meanwhile.
func (l *Loop) lookAtForeigns() {
	for found := true; found; {
		found = false
		for i := 0; i < len(l.foreigns.list); i++ {
			if f := l.foreigns.list[i]; f != nil && f.ctx.Err() != nil {
				f.tell()
				found = true
			}
		}
	}
}

// foreigns is the list of the contexts that a loop follows, in the order of their
// coming. Those that leave it leave a hole, and holes are closed together.
type foreigns struct {
	list  []*foreign
	holes int
}

func (fs *foreigns) n() int { return len(fs.list) }

func (fs *foreigns) add(f *foreign) { fs.list = append(fs.list, f) }

func (fs *foreigns) remove(f *foreign) {
	fs.list[f.index] = nil
	f.index = -1
	if fs.holes++; fs.holes < 16 || 2*fs.holes < len(fs.list) {
		return
	}
	fs.list = slices.DeleteFunc(fs.list, func(f *foreign) bool { return f == nil })
	for i, f := range fs.list {
		f.index = i
	}
	fs.holes = 0
}
