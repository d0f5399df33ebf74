package engine

// shut ends the loop, which the caller runs. Tasks that have not ended are
// unwound: their waits fail with ErrLoopClosed until they return.
func (l *Loop) shut() error {
	l.closing, l.single = true, true
	l.root.Cancel(ErrLoopClosed)
	l.detached.Cancel(ErrLoopClosed)
	l.unwind()
	l.reportLeaks()
	l.closeAll()
	l.unwind()
	l.signals.clear(l)
	l.clearFDs()
	l.inbox.close()
	l.unwind()
	l.failures.reportAll()
	l.pool.Close()
	l.closed = true
	if l.director != nil {
		l.director.close()
	}
	unregister(l)
	return l.poller.Close()
}

// unwind runs the tasks that are left until they have all returned. Callbacks
// have one more turn then: no more, as they may ask for themselves for ever. For
// the same reason no task is started after some rounds.
func (l *Loop) unwind() {
	round, newest := 0, l.nextID
	for last := false; !last || l.tasks > 0; {
		l.inbox.drain()
		l.wakeAll(&l.root)
		l.wakeAll(&l.detached)
		last = l.tasks == 0
		if !last && !l.anyTask(newest) {
			round, newest = round+1, l.nextID
		}
		if round > maxRounds {
			l.startNone()
		}
		for l.turn = l.ready.n; l.turn > 0; {
			l.next().run(l)
		}
	}
}

// startNone lets tasks that are about to start end instead.
func (l *Loop) startNone() {
	for i := range l.ready.n {
		if t, ok := l.ready.at(i).(*Task); ok && t.at == nil {
			t.body = &stillborn{t.body, t}
		}
	}
}

// stillborn takes the place of the function of a task that does not start.
type stillborn struct {
	Body
	task *Task
}

func (b *stillborn) Exec() {
	b.task.observed = true // nobody who started it will hear of it
	b.task.Finish(ErrLoopClosed)
}

// wakeAll wakes every parked task below s, whatever it waits for.
func (l *Loop) wakeAll(s *Scope) {
	if t := s.task; t != nil && t.at != nil && t.at.parked && t.at.task == t {
		t.at.wake(ErrLoopClosed)
	}
	for k := range s.children {
		l.wakeAll(k)
	}
}
