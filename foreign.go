package asyncio

import "context"

// A foreign is a context on which something on the loop depends, and which
// somebody else may cancel: one of the standard library's, mostly.
type foreign struct {
	loop  *loop
	ctx   context.Context
	ended func(cause error) // is told on the loop, at most once
	index int               // in the loop's list, -1 when not watched any more
	stop  func() bool
}

// watchForeign calls ended when ctx has ended, unless unwatch comes before.
func (l *loop) watchForeign(ctx context.Context, ended func(cause error)) *foreign {
	f := &foreign{loop: l, ctx: ctx, ended: ended, index: len(l.foreigns)}
	l.foreigns = append(l.foreigns, f)
	f.stop = context.AfterFunc(ctx, func() { l.post(f.tell) })
	return f
}

func (f *foreign) unwatch() {
	if f.index < 0 {
		return
	}
	l := f.loop
	last := l.foreigns[len(l.foreigns)-1]
	l.foreigns[f.index], last.index = last, f.index
	l.foreigns[len(l.foreigns)-1] = nil
	l.foreigns = l.foreigns[:len(l.foreigns)-1]
	f.index = -1
	f.stop()
}

func (f *foreign) tell() {
	if f.index >= 0 {
		f.unwatch()
		f.ended(context.Cause(f.ctx))
	}
}

// lookAtForeigns tells of what has ended without waiting for the goroutine of
// context.AfterFunc to say so. Before a virtual clock goes on that has to be
// known: who was cancelled by the loop itself must not find that an hour has
// passed meanwhile.
func (l *loop) lookAtForeigns() {
	for found := true; found; {
		found = false
		for i := 0; i < len(l.foreigns); i++ {
			if f := l.foreigns[i]; f.ctx.Err() != nil {
				f.tell()
				found = true
			}
		}
	}
}
