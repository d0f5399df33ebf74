package aionet

import (
	"context"
	"sync"

	"github.com/go-asyncio/asyncio/internal/poller"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// Writev is [Conn.Write] for several parts, which are not copied together: one system call takes up to 1,024 of them, as
// net.Buffers does with package net's connections. They go out as one piece, and none is changed.
func (c *Conn) Writev(parts ...[]byte) (int, error) {
	v := vectorOf(parts)
	defer v.free()
	ctx := c.loop.CurrentContext()
	if ctx == nil {
		return c.writevForeign(v)
	}
	if err := c.sending.Acquire(ctx, c.loop, (*writeWait)(c)); err != nil {
		return 0, c.fail("write", err)
	}
	n, err := c.writevAll(ctx, v)
	c.sending.Release(c.loop)
	worlds.Step(ctx, c.loop)
	return n, c.fail("write", err)
}

func (c *Conn) writevAll(ctx context.Context, v *vector) (done int, err error) {
	for {
		if err := c.may(ctx, &c.writers, &c.out); err != nil {
			return done, err
		}
		n, err := v.writeTo(c.sock)
		c.wrote(n)
		done += n
		c.loop.Moved(n)
		switch {
		case err == nil && len(v.parts) == 0:
			return done, nil
		case err == nil:
			worlds.Step(ctx, c.loop)
		case err == poller.ErrAgain:
			err = c.waitWrite(ctx)
		}
		if err != nil {
			return done, err
		}
	}
}

// A vector is what is left of several parts to write; no part is empty.
type vector struct {
	parts [][]byte
	all   [][]byte // what parts is a part of, to be used again
}

// vectors are kept, so that parts cost no allocation.
var vectors = sync.Pool{New: func() any { return new(vector) }}

func vectorOf(parts [][]byte) *vector {
	v := vectors.Get().(*vector)
	for _, p := range parts {
		if len(p) > 0 {
			v.all = append(v.all, p)
		}
	}
	v.parts = v.all
	return v
}

// free ends the use of v, which keeps nobody's memory then.
func (v *vector) free() {
	clear(v.all)
	v.all, v.parts = v.all[:0], nil
	vectors.Put(v)
}

func sizeOf(parts [][]byte) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// writeTo takes off what one try writes, which is no more than a turn may move: with a peer that reads as fast, one system
// call could go on for as long as there are data.
func (v *vector) writeTo(s poller.Tryer) (n int, err error) {
	k, last := v.limit(worlds.TurnBytes)
	switch k {
	case 0:
		n, err = s.Write(nil) // it says what is wrong with the connection
	case 1:
		n, err = s.Write(v.parts[0])
	default:
		n, err = s.Writev(v.parts[:k])
	}
	if k > 0 {
		v.parts[k-1] = last
	}
	v.drop(n)
	return n, err
}

// partsAtOnce is how many parts the system takes in one call.
const partsAtOnce = 1024

// limit returns how many of the parts hold up to most bytes. It cuts the last one of these, which it also returns whole.
func (v *vector) limit(most int) (k int, last []byte) {
	for _, last = range v.parts[:min(len(v.parts), partsAtOnce)] {
		k++
		if most -= len(last); most <= 0 {
			v.parts[k-1] = last[:len(last)+most]
			break
		}
	}
	return k, last
}

func (v *vector) drop(n int) {
	for n > 0 && n >= len(v.parts[0]) {
		n -= len(v.parts[0])
		v.parts = v.parts[1:]
	}
	if n > 0 {
		v.parts[0] = v.parts[0][n:]
	}
}
