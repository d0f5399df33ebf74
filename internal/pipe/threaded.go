package pipe

import (
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// threaded is a descriptor that blocks, as it is shared with others who rely on that, or that cannot be waited for
// here. Each direction has a goroutine while somebody waits: it waits until the descriptor is ready, looks whether it is
// still wanted, and reads or writes then. So who gives up takes nothing from those who share the descriptor.
type threaded struct {
	host     Host
	owner    poller.Owner
	f        *os.File
	terminal bool
	keep     bool // f stays open
	piece    int  // of a write, that a descriptor which is ready mostly takes without waiting
	end      interrupter

	mu      sync.Mutex
	changed sync.Cond // a job has ended, a deadline has passed, or all is over
	in, out job
	closed  bool
}

// job is what the goroutine of one direction does.
type job struct {
	state   jobState
	buf     []byte // in: what has been read; out: what is yet to be written
	n       int    // out: what has been written
	err     error
	size    int  // in: how much is wanted
	wanted  bool // in: by a coroutine
	foreign int  // in: other goroutines that want it
	orphan  bool // out: who wanted it has gone, and takes it for written
	expired bool // the deadline of other goroutines has passed
	timer   *time.Timer
	ready   func()
	store   []byte
}

type jobState int

const (
	idle    jobState = iota
	waiting          // for the descriptor to be ready; may be taken back
	working          // in the system call
	ended            // the result is to be fetched
)

const (
	threadedMost = 64 << 10 // of a read, or a write to a file
	pipePiece    = 512      // POSIX's least PIPE_BUF, which poll(2) promises room for
)

func newThreaded(h Host, f *os.File, terminal, keep, always bool) *threaded {
	d := &threaded{host: h, f: f, terminal: terminal, keep: keep, piece: pipePiece}
	if always {
		d.piece = threadedMost
	}
	d.changed.L = &d.mu
	d.in.ready = func() { d.owner.Ready(poller.Read) }
	d.out.ready = func() { d.owner.Ready(poller.Write) }
	return d
}

func (d *threaded) Name() string            { return d.f.Name() }
func (d *threaded) Terminal() bool          { return d.terminal }
func (d *threaded) SetOwner(o poller.Owner) { d.owner = o }

func (d *threaded) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.takeLocked(b)
}

func (d *threaded) takeLocked(b []byte) (int, error) {
	j := &d.in
	switch {
	case d.closed:
		return 0, fs.ErrClosed
	case j.state != ended:
		j.size = len(b)
		return 0, poller.ErrAgain
	case len(j.buf) > 0:
		n := copy(b, j.buf)
		if j.buf = j.buf[n:]; len(j.buf) == 0 {
			j.state = idle
		}
		return n, nil
	}
	j.state = idle // after the end of a terminal's input, there may be more
	return 0, j.err
}

func (d *threaded) Arm(m poller.Mode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m == poller.Read { // what is to be written says Write
		d.in.wanted = true
		d.beginReadLocked()
	}
	return nil
}

func (d *threaded) beginReadLocked() {
	if d.in.state == idle {
		d.in.state = waiting
		go d.serveRead()
	}
}

func (d *threaded) serveRead() {
	j := &d.in
	for {
		ready := d.wait(poller.Read)
		d.mu.Lock()
		if !ready || d.closed || !j.wanted && j.foreign == 0 {
			j.state = idle
			d.mu.Unlock()
			return
		}
		j.state = working
		if j.store == nil {
			j.store = make([]byte, 4096)
		}
		if size := min(j.size, threadedMost); size > len(j.store) {
			j.store = make([]byte, size)
		}
		b := j.store[:min(j.size, len(j.store))]
		d.mu.Unlock()
		n, err := rawRead(d.f, b)
		if !isAgain(err) {
			d.tell(j, func() { j.state, j.buf, j.err, j.wanted = ended, b[:n], err, false })
			return
		}
		d.mu.Lock()
		j.state = waiting // somebody else was faster
		d.mu.Unlock()
	}
}

// tell ends a job in both worlds.
func (d *threaded) tell(j *job, set func()) {
	d.mu.Lock()
	set()
	d.changed.Broadcast()
	d.mu.Unlock()
	_ = d.host.CallSoonThreadsafe(j.ready) // a loop that has ended has nobody to tell
}

func (d *threaded) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.putLocked(b)
}

// putLocked begins to write the next piece, or tells what has come of it.
func (d *threaded) putLocked(b []byte) (int, error) {
	j := &d.out
	switch {
	case d.closed:
		return 0, fs.ErrClosed
	case j.state == ended:
		j.state = idle
		n, err := j.n, j.err
		j.err = nil
		return n, err
	case j.state == idle && j.err != nil: // of a piece whose Write has been cancelled
		err := j.err
		j.err = nil
		return 0, err
	case j.state != working && len(j.buf) == 0:
		j.store = append(j.store[:0], b[:min(len(b), d.piece)]...)
		j.buf, j.n = j.store, 0
		if j.state == idle {
			j.state = waiting
			go d.serveWrite()
		}
	}
	return 0, poller.ErrAgain
}

func (d *threaded) serveWrite() {
	j := &d.out
	for {
		ready := d.wait(poller.Write)
		d.mu.Lock()
		if !ready || d.closed || len(j.buf) == 0 {
			j.state, j.buf = idle, nil
			d.mu.Unlock()
			return
		}
		j.state = working
		b := j.buf
		d.mu.Unlock()
		n, err := rawWrite(d.f, b)
		if isAgain(err) {
			n, err = 0, nil
		}
		if err != nil || n == len(b) {
			d.tell(j, func() { d.wroteLocked(n, err) })
			return
		}
		d.mu.Lock()
		j.state, j.n, j.buf = waiting, j.n+n, b[n:]
		if j.orphan {
			j.state = working // it counts as written
		}
		d.mu.Unlock()
	}
}

func (d *threaded) wroteLocked(n int, err error) {
	j := &d.out
	j.state, j.buf, j.n, j.err = ended, nil, j.n+n, err
	if j.orphan {
		j.state, j.orphan = idle, false
	}
}

// Leave takes back what nobody waits for any more. A piece that is in the system call counts as written.
func (d *threaded) Leave(m poller.Mode) (written int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m == poller.Read {
		d.in.wanted = false
		return 0
	}
	return d.leaveWriteLocked()
}

func (d *threaded) leaveWriteLocked() (written int) {
	j := &d.out
	switch {
	case j.state == ended:
		j.state = idle
		return j.n
	case j.state == working && !j.orphan:
		j.orphan = true
		return j.n + len(j.buf)
	case j.state == waiting:
		j.buf = nil
		return j.n
	}
	return 0
}

func (d *threaded) BlockRead(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if d.in.expired {
			return 0, os.ErrDeadlineExceeded
		}
		if n, err := d.takeLocked(b); err != poller.ErrAgain {
			return n, err
		}
		d.in.foreign++
		d.beginReadLocked()
		d.changed.Wait()
		d.in.foreign--
	}
}

func (d *threaded) BlockWrite(b []byte) (done int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for done < len(b) {
		if d.out.expired {
			return done + d.leaveWriteLocked(), os.ErrDeadlineExceeded
		}
		n, err := d.putLocked(b[done:])
		done += n
		switch err {
		case nil:
		case poller.ErrAgain:
			d.changed.Wait()
		default:
			return done + d.leaveWriteLocked(), err
		}
	}
	return done, nil
}

func (d *threaded) SetDeadline(m poller.Mode, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m&poller.Read != 0 {
		d.setDeadlineLocked(&d.in, t)
	}
	if m&poller.Write != 0 {
		d.setDeadlineLocked(&d.out, t)
	}
	return nil
}

func (d *threaded) setDeadlineLocked(j *job, t time.Time) {
	if j.timer != nil {
		j.timer.Stop()
		j.timer = nil
	}
	j.expired = false
	if t.IsZero() || d.closed {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		j.expired = true
		d.changed.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if j.timer == timer {
			j.expired = true
			d.changed.Broadcast()
		}
	})
	j.timer = timer
}

func (d *threaded) Abort() error {
	d.mu.Lock()
	d.setDeadlineLocked(&d.in, time.Time{})
	d.setDeadlineLocked(&d.out, time.Time{})
	d.closed = true
	d.changed.Broadcast()
	d.mu.Unlock()
	d.end.Interrupt()
	if d.keep {
		return nil
	}
	return d.f.Close()
}

func (d *threaded) Close() {}

func (d *threaded) File() (*os.File, error) { return d.f, nil }
