package aionet

import (
	"time"

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
	if m&poller.Read != 0 {
		c.in.Set(c.loop, &c.readers, t)
	}
	if m&poller.Write != 0 {
		c.out.Set(c.loop, &c.writers, t)
	}
	return nil
}
