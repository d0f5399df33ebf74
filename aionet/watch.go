package aionet

import (
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// This file is how a server finds connections that have waited for too long. None has a timer, and reading and writing
// only note that they have happened, or when they began to wait. A connection is looked at once in the shortest limit, and
// at the time at which one of its limits would be reached if nothing happened until then. One timer serves for all.

// grains is how many steps of time the shortest limit has. Connections that are due in the same one are looked at together.
const grains = 32

// looksAtOnce is how many connections are looked at before others have a turn.
const looksAtOnce = 1000

// A moment is a time of the loop's clock in milliseconds. Only differences count, which are right for 49 days.
type moment uint32

func momentOf(t time.Duration) moment { return moment(t / time.Millisecond) }

// before returns how long before now the moment was.
func (m moment) before(now time.Duration) time.Duration {
	return time.Duration(momentOf(now)-m) * time.Millisecond
}

// watch is a server's.
type watch struct {
	timer  engine.Timer
	every  time.Duration // the shortest limit; Forever: there is none
	checks dueHeap       // by when they are to be looked at
	silent dueHeap       // those that a full server may end, by since when they are idle
}

func (w *watch) init(s *Server) {
	l := &s.limits
	w.every = min(l.idle, l.idleWhenFull, l.read, l.write, l.farewell)
	w.timer.Init(s.loop, s.lookAtDue)
}

// waits is what a connection waits for, and for how long nothing has moved.
type waits struct {
	toRead, toWrite, toEnd bool
	read, written          time.Duration // for how long nothing was
}

// idle returns for how long no byte has moved in either direction.
func (w waits) idle() time.Duration { return min(w.read, w.written) }

// since returns since when that is so, on the loop's clock.
func (w waits) since(now time.Duration) time.Duration {
	return now.Truncate(time.Millisecond) - w.idle()
}

// exceeded returns the limit that w has reached, or nil, and how long it is until the next one.
func (l *limits) exceeded(w waits) (reached *LimitError, left time.Duration) {
	left = asyncio.Forever
	is := func(waited, limit time.Duration, option, what string) {
		if left = min(left, limit-waited); waited >= limit && reached == nil {
			reached = &LimitError{option, waited, what}
		}
	}
	if w.toEnd {
		is(w.read, l.farewell, "WithFarewellLimit", "its peer has not taken all that was left")
	}
	if w.toWrite {
		is(w.written, l.write, "WithWriteLimit", "its peer has taken nothing of what is to be sent")
	}
	if w.toRead {
		is(w.read, l.read, "WithReadLimit", "nothing has come")
		is(w.idle(), l.idle, "WithIdleLimit", "nothing has come or gone")
	}
	return reached, left
}

// watch begins to look at k.
func (s *Server) watch(k *client) {
	if s.watched.every == asyncio.Forever {
		s.watched.checks.set(k, asyncio.Forever)
		return
	}
	s.watchAt(k, s.loop.Time()+s.watched.every)
}

// watchAt lets k be looked at then or a little later.
func (s *Server) watchAt(k *client, at time.Duration) {
	w := &s.watched
	if k.silent {
		w.silent.remove(k)
		k.silent = false
	}
	grain := max(w.every/grains, time.Millisecond)
	at = (at + grain - 1) / grain * grain
	w.checks.set(k, at)
	s.armWatch(at)
}

func (s *Server) armWatch(at time.Duration) {
	if t := &s.watched.timer; !t.Active() || t.When() > at {
		t.Arm(at)
	}
}

// unwatch is the end of that. Without connections there is no timer.
func (s *Server) unwatch(k *client) {
	w := &s.watched
	if k.silent {
		w.silent.remove(k)
		k.silent = false
	} else {
		w.checks.remove(k)
	}
	if s.connections() == 0 {
		w.timer.Stop()
	}
}

// lookAtDue is the timer's.
func (s *Server) lookAtDue() {
	w := &s.watched
	now := s.loop.Time()
	for range looksAtOnce {
		switch {
		case w.checks.len() > 0 && w.checks.first().at <= now:
			s.look(w.checks.first().k, now)
		case w.silent.len() > 0 && w.silent.first().at <= now-s.silentLimit():
			s.look(w.silent.first().k, now)
		default:
			if next := s.nextLook(); next < asyncio.Forever {
				s.armWatch(next)
			}
			return
		}
	}
	s.armWatch(now)
}

// silentLimit is for how long an idle connection is not looked at.
func (s *Server) silentLimit() time.Duration { return min(s.limits.idle, s.limits.read) }

func (s *Server) nextLook() time.Duration {
	w := &s.watched
	next := asyncio.Forever
	if w.checks.len() > 0 {
		next = w.checks.first().at
	}
	if limit := s.silentLimit(); w.silent.len() > 0 && limit < asyncio.Forever {
		next = min(next, w.silent.first().at+limit)
	}
	return next
}

// look ends k if it has waited for too long, and says when to look again.
func (s *Server) look(k *client, now time.Duration) {
	w := k.is.waits(now)
	reached, left := s.limits.exceeded(w)
	if reached != nil {
		s.watchAt(k, now+s.watched.every) // until it has gone
		s.cut(k, reached)
		return
	}
	if w.toRead && !w.toWrite {
		// One that is idle for both reasons needs no look before it reaches the limit, unless it moves.
		if idle := w.idle(); idle < s.limits.idleWhenFull {
			left = min(left, s.limits.idleWhenFull-idle)
		} else if idle == w.read || s.limits.read == asyncio.Forever {
			s.fallSilent(k, w.since(now))
			return
		}
	}
	s.watchAt(k, now+min(left, s.watched.every))
}

func (s *Server) fallSilent(k *client, since time.Duration) {
	w := &s.watched
	if !k.silent {
		w.checks.remove(k)
		k.silent = true
	}
	w.silent.set(k, since)
	if limit := s.silentLimit(); limit < asyncio.Forever {
		s.armWatch(w.silent.first().at + limit)
	}
	s.room.WakeAll() // there may be room now
}

// stirred is told that a connection that was idle is not.
func (k *client) stirred() {
	if k.silent {
		k.server.watchAt(k, k.server.loop.Time()+k.server.watched.every)
	}
}

// cut ends a connection for the server's own reasons.
func (s *Server) cut(k *client, why *LimitError) {
	s.note(limitReached, k.is.remoteAddr(), why)
	k.is.cut(why)
}

// makeRoom ends the connection that has been idle for the longest, if it has been so for long enough.
func (s *Server) makeRoom() bool {
	now := s.loop.Time()
	for s.watched.silent.len() > 0 {
		first := s.watched.silent.first()
		w := first.k.is.waits(now)
		if !w.toRead || w.toWrite || w.idle() < s.limits.idleWhenFull || w.since(now) > first.at {
			s.look(first.k, now) // it has moved since, and gets another place
			continue
		}
		s.watchAt(first.k, now+s.watched.every)
		s.cut(first.k, &LimitError{"WithIdleLimitWhenFull", w.idle(), "the server was full, and nothing had come or gone"})
		return true
	}
	return false
}

// dueHeap is a binary heap of clients, each of which knows where it is.
type dueHeap struct{ entries []due }

type due struct {
	at time.Duration
	k  *client
}

func (h *dueHeap) len() int   { return len(h.entries) }
func (h *dueHeap) first() due { return h.entries[0] }

// set puts k in, or moves it.
func (h *dueHeap) set(k *client, at time.Duration) {
	i := int(k.index)
	if i < 0 {
		i = len(h.entries)
		h.entries = append(h.entries, due{})
	}
	h.sift(i, due{at, k})
}

func (h *dueHeap) remove(k *client) {
	i, last := int(k.index), len(h.entries)-1
	k.index = -1
	moved := h.entries[last]
	h.entries[last] = due{}
	h.entries = h.entries[:last]
	if i < last {
		h.sift(i, moved)
	}
}

// before orders by time, then by acceptance.
func (d due) before(other due) bool {
	return d.at < other.at || d.at == other.at && d.k.comparedTo(other.k) < 0
}

// sift puts d where it belongs, from a hole at i.
func (h *dueHeap) sift(i int, d due) {
	for ; i > 0 && d.before(h.entries[(i-1)/2]); i = (i - 1) / 2 {
		h.put(i, h.entries[(i-1)/2])
	}
	for {
		least := 2*i + 1
		if least+1 < len(h.entries) && h.entries[least+1].before(h.entries[least]) {
			least++
		}
		if least >= len(h.entries) || !h.entries[least].before(d) {
			break
		}
		h.put(i, h.entries[least])
		i = least
	}
	h.put(i, d)
}

func (h *dueHeap) put(i int, d due) {
	h.entries[i] = d
	d.k.index = int32(i)
}
