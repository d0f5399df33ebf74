package aionet

import (
	"math"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// This file is a Conn on goroutines that are not the loop: they block, in Go's netpoller, and need nothing from the
// loop. In a callback of the loop nothing may block, so there each call has one try.

func (c *Conn) readForeign(p []byte) (n int, err error) {
	if c.loop.On() {
		return c.readInCallback(p)
	}
	if c.closed.Load() {
		return 0, c.fail("read", errClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	blocked := c.sock.Block(poller.Read, func(s poller.Tryer) bool {
		n, err = s.Read(p)
		return err != poller.ErrAgain
	})
	if blocked != nil {
		n, err = 0, blocked
	}
	return n, c.fail("read", err)
}

func (c *Conn) writeForeign(p []byte) (int, error) {
	v := vectorOf([][]byte{p})
	defer v.free()
	return c.writevForeign(v)
}

func (c *Conn) writevForeign(v *vector) (done int, err error) {
	if c.loop.On() {
		return c.writeInCallback(v)
	}
	c.sending.AcquireForeign()
	defer c.sending.Release(c.loop)
	if c.closed.Load() {
		return 0, c.fail("write", errClosed)
	}
	blocked := c.sock.Block(poller.Write, func(s poller.Tryer) bool {
		for {
			var n int
			n, err = v.writeTo(s)
			c.wrote(n)
			done += n
			if err != nil || len(v.parts) == 0 {
				return err != poller.ErrAgain
			}
		}
	})
	if blocked != nil {
		err = blocked
	}
	return done, c.fail("write", err)
}

func (c *Conn) readInCallback(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, c.fail("read", errClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.in.Expired() {
		return 0, c.fail("read", errDeadline)
	}
	n, err := c.sock.Read(p)
	return n, c.fail("read", orWouldWait(err))
}

func (c *Conn) writeInCallback(v *vector) (int, error) {
	n, err := c.tryWritev(v, math.MaxInt)
	if err == poller.ErrAgain {
		err = c.fail("write", ErrWouldWait)
	}
	return n, err
}
