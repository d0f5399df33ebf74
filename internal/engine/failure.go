package engine

import (
	"container/list"
	"context"
	"runtime"
	"time"
)

// A failure is an error that nobody has looked at yet. A panic is reported in the
// next turn. Another error is reported when what failed is dropped: that is found out
// by the garbage collector, which is made to look within a second; or else when
// the loop ends. So failures are never lost, and a task whose handle somebody
// still has, to ask it later, is not reported early.
//
// On a virtual clock nothing may depend on the collector: there failures are
// reported at the loop's end, in their order.
type failure struct {
	of      *failures
	what    string
	created string
	context context.Context
	err     error
	cleanup runtime.Cleanup
	listed  *list.Element // in failures; nil when seen or reported
}

// failures are those of a loop that were neither seen nor reported.
type failures struct {
	loop *Loop
	list list.List   // of *failure
	look *time.Timer // lets the collector look; nil while there is no need
}

func (t *Task) failure(err error) *failure {
	return &failure{what: t.Name(), created: t.Created(), context: t.Scope.given.values, err: err}
}

// add remembers a failure of f until it is observed. t is the task of f, if it is
// one's.
func (fs *failures) add(f *Future, t *Task, fail *failure) {
	fail.of = fs
	f.more().failure = fail
	fail.listed = fs.list.PushBack(fail)
	if Errors.IsPanic(fail.err) {
		fs.loop.ready.push(fail) // callbacks of the task come before, and may look
		return
	}
	if fs.loop.VirtualClock || fs.loop.bubble {
		return
	}
	l := fs.loop
	dropped := func(fail *failure) { l.Post(fail.dropped) }
	if t != nil {
		fail.cleanup = runtime.AddCleanup(t, dropped, fail)
	} else {
		fail.cleanup = runtime.AddCleanup(f, dropped, fail)
	}
	if fs.look == nil {
		fs.look = time.AfterFunc(lookAfter, fs.collect)
	}
}

const lookAfter = 500 * time.Millisecond

// collect lets the collector find out which failures were dropped, and does so
// again as long as there are some that were not. It takes at most 2 % of one
// core for that.
func (fs *failures) collect() {
	start := time.Now()
	runtime.GC()
	pause := max(lookAfter, 50*time.Since(start))
	fs.loop.Post(func() {
		if fs.look = nil; fs.list.Len() > 0 {
			fs.look = time.AfterFunc(pause, fs.collect)
		}
	})
}

// settled ends the watch: somebody has seen the error.
func (f *failure) settled() {
	if f.listed != nil {
		f.of.list.Remove(f.listed)
		f.listed = nil
		f.cleanup.Stop()
	}
}

// run reports a panic.
func (f *failure) run(*Loop) { f.dropped() }

// dropped reports the failure, unless that was seen meanwhile.
func (f *failure) dropped() {
	if f.listed != nil {
		f.settled()
		f.of.report(f)
	}
}

func (fs *failures) report(f *failure) {
	message := "the error of a task or future was never retrieved"
	if Errors.IsPanic(f.err) {
		message = "a task panicked"
	}
	fs.loop.Report(ExceptionInfo{Message: message, Err: f.err, Task: f.what, Created: f.created, Context: f.context})
}

// reportAll reports what is left at the loop's end.
func (fs *failures) reportAll() {
	if fs.look != nil {
		fs.look.Stop()
	}
	for fs.list.Len() > 0 {
		fs.list.Front().Value.(*failure).dropped()
	}
}
