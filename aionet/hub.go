package aionet

import (
	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// receiveSize is how much a transport receives at once.
const receiveSize = 64 << 10

// spareMost is the largest write buffer that is kept for the next transport that needs one.
const spareMost = 256 << 10

// hub is what the transports of a loop share: the buffer into which all of them receive, since only one is called at
// a time, and the end that comes with the loop's.
type hub struct {
	receive []byte
	spare   []byte
	first   *transport
}

func hubOf(l *engine.Loop) *hub {
	return engine.Shared(l, func() *hub {
		h := new(hub)
		l.AddCloser(hubCloser{h})
		return h
	})
}

type hubCloser struct{ h *hub }

// Close ends what is left when the loop ends. ConnectionLost is called in its last turn.
func (c hubCloser) Close() error {
	for t := c.h.first; t != nil; t = t.next {
		t.cut(asyncio.ErrLoopClosed)
	}
	return nil
}

func (h *hub) add(t *transport) {
	if h.first != nil {
		h.first.prev = t
	}
	t.next, h.first = h.first, t
}

func (h *hub) remove(t *transport) {
	if t.prev != nil {
		t.prev.next = t.next
	} else if h.first == t {
		h.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
}

func (h *hub) buffer() []byte {
	if h.receive == nil {
		h.receive = make([]byte, receiveSize)
	}
	return h.receive
}

// takeSpare returns an empty buffer, or nil.
func (h *hub) takeSpare() []byte {
	b := h.spare
	h.spare = nil
	return b
}

func (h *hub) giveSpare(b []byte) {
	if cap(b) > cap(h.spare) && cap(b) <= spareMost {
		h.spare = b[:0]
	}
}
