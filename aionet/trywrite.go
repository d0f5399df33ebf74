package aionet

import (
	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// tryWrite writes what there is room for, and no more than a turn may move, for a sendQueue over this connection. It returns
// poller.ErrAgain if that is not all. On the loop only.
func (c *Conn) tryWrite(p []byte) (int, error) {
	v := vectorOf([][]byte{p})
	defer v.free()
	return c.tryWritev(v, worlds.TurnBytes)
}

// tryWritev is tryWrite for several parts, and for a callback. It begins no further try once it has written most.
func (c *Conn) tryWritev(v *vector, most int) (done int, err error) {
	if c.closed.Load() {
		return 0, c.fail("write", c.served.closedError())
	}
	if c.out.Expired() {
		return 0, c.fail("write", errDeadline)
	}
	if !c.sending.TryAcquire() {
		return 0, poller.ErrAgain
	}
	defer c.sending.Release(c.loop)
	for len(v.parts) > 0 {
		n, err := v.writeTo(c.sock)
		c.wrote(n)
		done += n
		if err == poller.ErrAgain {
			return done, err
		}
		if err != nil {
			return done, c.fail("write", err)
		}
		if done >= most && len(v.parts) > 0 {
			return done, poller.ErrAgain
		}
	}
	return done, nil
}
