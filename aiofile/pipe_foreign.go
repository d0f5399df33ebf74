package aiofile

import (
	"io/fs"
	"os"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// This file is a Pipe on goroutines that are not the loop: they block and need nothing from the loop. In a callback of
// the loop nothing may block, so there each call has one try.

func (p *Pipe) readForeign(b []byte) (int, error) {
	onLoop := p.loop.On()
	switch {
	case p.closed.Load():
		return 0, p.fail("read", fs.ErrClosed)
	case onLoop && p.in.Expired():
		return 0, p.fail("read", os.ErrDeadlineExceeded)
	case len(b) == 0:
		return 0, nil
	case !onLoop:
		n, err := p.dev.BlockRead(b)
		return n, p.fail("read", err)
	}
	n, err := p.dev.Read(b)
	if err == poller.ErrAgain {
		err = ErrWouldWait
	}
	return n, p.fail("read", err)
}

func (p *Pipe) writeForeign(b []byte) (int, error) {
	if p.loop.On() {
		return p.writeInCallback(b)
	}
	p.sending.AcquireForeign()
	defer p.sending.Release(p.loop)
	if p.closed.Load() {
		return 0, p.fail("write", fs.ErrClosed)
	}
	if len(b) == 0 {
		return 0, nil
	}
	n, err := p.dev.BlockWrite(b)
	return n, p.fail("write", err)
}

func (p *Pipe) writeInCallback(b []byte) (done int, err error) {
	switch {
	case p.closed.Load():
		return 0, p.fail("write", fs.ErrClosed)
	case p.out.Expired():
		return 0, p.fail("write", os.ErrDeadlineExceeded)
	case !p.sending.TryAcquire():
		return 0, p.fail("write", ErrWouldWait)
	}
	defer p.sending.Release(p.loop)
	for done < len(b) {
		n, err := p.dev.Write(b[done:])
		done += n
		if err == poller.ErrAgain {
			done += p.dev.Leave(poller.Write)
			err = ErrWouldWait
		}
		if err != nil {
			return done, p.fail("write", err)
		}
	}
	return done, nil
}
