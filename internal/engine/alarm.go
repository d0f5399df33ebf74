package engine

import (
	"time"
	"unsafe"
)

// An Alarm is armed for a time of the loop's clock, and tells its owner when
// that has come. It is embedded in the owner: arming allocates nothing. The zero
// Alarm is not armed.
type Alarm struct {
	alarmNode
	owner Alarmed
	when  time.Duration
}

// An alarmNode is what the heap holds: of an Alarm, or of a task that sleeps,
// which does without the rest.
type alarmNode struct {
	place  int32 // in the heap, from 1 on; 0 when not armed
	task   bool  // it is that of a Parking
	atOnce bool
	queued bool // due, and in the ready queue
	keeper bool // see Housekeeping
}

// ofAlarm returns the Alarm whose node n is.
func (n *alarmNode) ofAlarm() *Alarm { return (*Alarm)(unsafe.Pointer(n)) }

// ofTask returns the Parking whose node n is.
func (n *alarmNode) ofTask() *Parking {
	return (*Parking)(unsafe.Add(unsafe.Pointer(n), -int(unsafe.Offsetof(Parking{}.alarm))))
}

// Alarmed is the owner of an Alarm.
type Alarmed interface{ Fire() }

// Init says whose the alarm is. When it is due it takes its turn in the ready
// queue: so whatever is set for the same time happens in the order in which it
// was set, be it a callback, a timeout or a task that sleeps.
func (a *Alarm) Init(owner Alarmed) { *a = Alarm{owner: owner} }

// InitAtOnce is Init for an owner that only makes tasks ready, which then are in
// the ready queue where the alarm would be.
func (a *Alarm) InitAtOnce(owner Alarmed) {
	*a = Alarm{alarmNode: alarmNode{atOnce: true}, owner: owner}
}

// Housekeeping says that the alarm, which is not armed yet, wakes no task of the
// user's: it ends an idle connection, say. A loop that has nothing else to wait
// for is in a deadlock.
func (a *Alarm) Housekeeping() { a.keeper = true }

// Arm arms a to fire when the loop's clock reaches when, whether it was armed or
// not.
func (l *Loop) Arm(a *Alarm, when time.Duration) {
	a.queued = false
	a.when = when
	l.alarms.arm(&a.alarmNode, when)
}

// Disarm keeps a from firing, and reports whether it would have fired.
func (l *Loop) Disarm(a *Alarm) bool {
	active := a.Active()
	a.queued = false
	l.alarms.disarm(&a.alarmNode)
	return active
}

// Active reports whether the alarm has yet to fire.
func (a *Alarm) Active() bool { return a.queued || a.place != 0 }

// When returns the time for which the alarm was last armed.
func (a *Alarm) When() time.Duration { return a.when }

// fireAlarms fires what is due.
func (l *Loop) fireAlarms() {
	now := l.Time()
	for {
		n := l.alarms.popDue(now)
		switch {
		case n == nil:
			return
		case n.task:
			n.ofTask().fire()
		case n.atOnce:
			n.ofAlarm().owner.Fire()
		default:
			n.queued = true
			l.ready.push(n.ofAlarm())
		}
	}
}

func (a *Alarm) run(*Loop) {
	if a.queued {
		a.queued = false
		a.owner.Fire()
	}
}

// AddTime adds without overflow, so that "for ever" may be said with a huge d.
func AddTime(t, d time.Duration) time.Duration {
	if s := t + d; d <= 0 || s > t {
		return s
	}
	return Forever
}
