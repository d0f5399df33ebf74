package aionet

import (
	"cmp"
	"context"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// crowdedHandshake is how long a handshake may take while others wait for its place.
const crowdedHandshake = time.Second

// handshakes are those that a server does at once. Others wait in order.
type handshakes struct {
	places  *asyncio.Semaphore
	timer   engine.Timer // for the oldest one, while others wait
	waiting int
	running []handshake // the oldest one first
}

type handshake struct {
	k     *client
	since time.Duration
}

func (h *handshakes) init(s *Server) {
	if s.limits.handshakes < 1<<30 {
		h.places = asyncio.NewSemaphore(s.limits.handshakes)
		h.timer.Init(s.loop, s.endOldHandshakes)
	}
}

// beginHandshake waits for a place, for up to limit. Then endHandshake has to be called.
func (s *Server) beginHandshake(ctx context.Context, k *client, limit time.Duration) error {
	h := &s.handshakes
	if h.places == nil {
		return nil
	}
	if !h.places.TryAcquire() {
		h.waiting++
		s.endOldHandshakes()
		err := asyncio.Timeout(ctx, cmp.Or(limit, asyncio.Forever), h.places.Acquire)
		h.waiting--
		if err != nil {
			return err
		}
	}
	h.running = append(h.running, handshake{k, s.loop.Time()})
	return nil
}

func (s *Server) endHandshake(k *client) {
	h := &s.handshakes
	if h.places == nil {
		return
	}
	for i, r := range h.running {
		if r.k == k {
			h.running = append(h.running[:i], h.running[i+1:]...)
			break
		}
	}
	h.places.Release()
}

// endOldHandshakes ends one for each that waits, if it has taken long enough, and comes again when the next one has.
func (s *Server) endOldHandshakes() {
	h := &s.handshakes
	now := s.loop.Time()
	for n := 0; n < h.waiting && len(h.running) > 0; n++ {
		oldest := h.running[0]
		if left := oldest.since + crowdedHandshake - now; left > 0 {
			h.timer.Reset(left)
			return
		}
		h.running = append(h.running[:0], h.running[1:]...)
		s.cut(oldest.k, &LimitError{"WithMaxHandshakes", now - oldest.since, "others waited for their handshakes, and its own had taken"})
	}
}
