package aionet

import (
	"cmp"
	"context"
	"slices"
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

// shakeHands runs shake when there is a place for it, for which it waits for up to limit. A panic of a callback in the TLS
// configuration, which a peer may bring about, gives the place back, too.
func (s *Server) shakeHands(ctx context.Context, k *client, limit time.Duration, shake func(ctx context.Context) error) error {
	h := &s.handshakes
	if h.places == nil {
		return shake(ctx)
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
	defer h.places.Release()
	h.running = append(h.running, handshake{k, s.loop.Time()})
	defer h.forget(k)
	return shake(ctx)
}

func (h *handshakes) forget(k *client) {
	h.running = slices.DeleteFunc(h.running, func(r handshake) bool { return r.k == k })
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
		h.forget(oldest.k)
		s.cut(oldest.k, &LimitError{"WithMaxHandshakes", now - oldest.since, "others waited for their handshakes, and its own had taken"})
	}
}
