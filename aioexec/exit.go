package aioexec

import (
	"context"
	"os/exec"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// exitWatch is told of a process's end: by the environment, or where that cannot be by a goroutine that waits for it.
type exitWatch struct {
	env   *env.Env
	queue engine.WaitQueue
	over  bool
	close func() // ends the watching

	reaped chan struct{} // closed by the goroutine, if there is one, when it has reaped
	err    error         // what it got
}

func (w *exitWatch) watch(l *engine.Loop, c *exec.Cmd) {
	w.env = l.Env
	var err error
	if w.close, err = l.Env.Processes.Watch(l.Poller(), c, w.ended); err == nil {
		return
	}
	w.reaped = make(chan struct{})
	l.Env.Go(env.Waiter, func() {
		w.err = l.Env.Processes.Wait(c)
		close(w.reaped)
		_ = l.CallSoonThreadsafe(w.ended) // a loop that has ended need not know
	})
}

// ended is called on the loop.
func (w *exitWatch) ended() {
	w.over = true
	w.queue.WakeAll()
}

// wait waits for the end of the process.
func (w *exitWatch) wait(ctx context.Context) error {
	for !w.over {
		if err := w.queue.WaitIO(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// unwatch ends the watching.
func (w *exitWatch) unwatch() {
	if w.close != nil {
		w.close()
		w.close = nil
	}
}

// reap returns what exec.Cmd.Wait does. If the process is not over, since the loop itself is ending, it has been
// killed, and that takes no time.
func (w *exitWatch) reap(c *exec.Cmd) error {
	w.unwatch()
	if w.reaped != nil {
		<-w.reaped
		return w.err
	}
	return w.env.Processes.Wait(c)
}

// WaitName says what a task waits for.
func (w *exitWatch) WaitName() string { return "the end of a process" }
