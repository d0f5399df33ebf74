package engine

// startNow runs t until it waits or ends, and then goes on with who called:
// nobody else runs in between.
func (t *Task) startNow(l *Loop) {
	switch creator := l.current; {
	case creator != nil && creator.at != nil:
		spent := l.spent
		l.runNext(creator)
		l.runNext(t)
		creator.at.worker().Suspend()
		l.spent = spent // nobody else has had a turn
	case l.calling:
		t.startFromCallback(l)
	default: // the loop does not run, or runs nothing of the user's
		l.ready.push(t)
	}
}

// runNext puts t first in line.
func (l *Loop) runNext(t *Task) {
	if l.director != nil {
		l.director.take(byStep)
	}
	l.ready.pushFront(t)
	l.turn++
	if l.director != nil {
		l.director.keepFirst()
	}
}

// startFromCallback runs t on the hub, as a turn of its own.
func (t *Task) startFromCallback(l *Loop) {
	turn, single := l.turn, l.single
	l.turn, l.single, l.calling = 0, true, false
	l.spent = 0
	if l.director != nil {
		l.director.eager++
		defer func() { l.director.eager-- }()
	}
	t.run(l)
	for l.turn > 0 {
		l.next().run(l)
	}
	l.turn, l.single, l.calling = turn, single, true
}
