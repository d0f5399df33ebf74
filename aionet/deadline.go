package aionet

import (
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// SetDeadline sets the read and the write deadline.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadline(poller.Read|poller.Write, t) }

// SetReadDeadline ends each Read at t, and those after it, with an error that is os.ErrDeadlineExceeded and a
// net.Error whose Timeout is true. The zero time removes it. Setting it again costs no allocation.
//
// Coroutines see t on the loop's clock ([asyncio.Loop.Now]), which tests may let run faster; other goroutines on the
// real one.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(poller.Read, t) }

// SetWriteDeadline is [Conn.SetReadDeadline] for Write.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(poller.Write, t) }

func (c *Conn) setDeadline(m poller.Mode, t time.Time) error {
	if c.closed.Load() {
		return c.fail("set deadline", errClosed)
	}
	c.sock.SetDeadline(m, t) // for foreign goroutines
	if c.loop.OnLoop() {
		if m&poller.Read != 0 {
			c.in.set.Add(1)
			c.arm(&c.in, poller.Read, t)
		}
		if m&poller.Write != 0 {
			c.out.set.Add(1)
			c.arm(&c.out, poller.Write, t)
		}
		return nil
	}
	if m&poller.Read != 0 {
		c.armLater(&c.in, poller.Read, t)
	}
	if m&poller.Write != 0 {
		c.armLater(&c.out, poller.Write, t)
	}
	return nil
}

// armLater hands a deadline to the loop, which drops it if another one has been set by then.
func (c *Conn) armLater(d *deadline, m poller.Mode, t time.Time) {
	mine := d.set.Add(1)
	_ = c.loop.CallSoonThreadsafe(func() { // a loop that has ended has no coroutines to tell
		if d.set.Load() == mine && !c.closed.Load() {
			c.arm(d, m, t)
		}
	})
}

func (c *Conn) arm(d *deadline, m poller.Mode, t time.Time) {
	d.at, d.expired = t, false
	if t.IsZero() {
		d.stop()
		return
	}
	left := t.Sub(c.loop.Now())
	if left <= 0 {
		d.stop()
		c.expire(d, m)
		return
	}
	if d.timer == nil {
		d.timer = new(asyncio.Timer)
		d.timer.Init(c.loop, func() { c.expire(d, m) })
	}
	d.timer.Reset(left)
}

func (c *Conn) expire(d *deadline, m poller.Mode) {
	d.expired = true
	if m == poller.Read {
		c.readers.WakeAll()
	} else {
		c.writers.WakeAll()
	}
}
