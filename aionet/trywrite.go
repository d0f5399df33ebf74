package aionet

import "github.com/go-asyncio/asyncio/internal/poller"

// tryWrite writes what there is room for, for a sendQueue over this connection. It returns poller.ErrAgain if that is not
// all. On the loop only.
func (c *Conn) tryWrite(p []byte) (int, error) {
	v := vectorOf([][]byte{p})
	defer v.free()
	return c.tryWritev(v)
}

// tryWritev is tryWrite for several parts, and for a callback.
func (c *Conn) tryWritev(v *vector) (done int, err error) {
	if c.closed.Load() {
		return 0, c.fail("write", errClosed)
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
		done += n
		if err == poller.ErrAgain {
			return done, err
		}
		if err != nil {
			return done, c.fail("write", err)
		}
	}
	return done, nil
}
