package engine

import (
	"context"
	"reflect"
	"runtime"
	"sync/atomic"

	"github.com/go-asyncio/asyncio/internal/env"
)

// A Channel is a Go channel as what a task waits for. A goroutine calls the
// methods while the task is parked.
type Channel interface {
	Waitable
	// Do waits for the channel alone. It reports false, and has done nothing, if quit
	// was quicker, with what receiving from that has reported.
	Do(quit <-chan struct{}) (done, ok bool)
	// Operation returns what is to be done with the channel where there are several.
	Operation() reflect.SelectCase
	// Done is told that this was done, and what was received.
	Done(v reflect.Value, ok bool)
}

// A helper is a goroutine that waits for the channels of a [Selection]: nobody but
// a goroutine can. When something else has ended the wait, the helper is called
// off, and which of the two was first is decided between them: so it is never
// both.
type helper struct {
	selection *Selection // nil: its wait has ended
	channels  []channelCase
	one       [1]channelCase // the first of channels

	begun   atomic.Bool                   // by the goroutine, or it is not to begin any more
	quit    chan struct{}                 // a value calls it off, and so does closing
	did     atomic.Pointer[chan struct{}] // nil: it has done nothing yet
	served  int32                         // the case for which that was; -1: none
	failure any                           // with which it panicked

	ended bool      // for the loop: there is nothing to hear of it any more
	word  WaitQueue // where the task waits for that
}

// channelCase is a channel, and which case that is.
type channelCase struct {
	Channel
	index int32
}

// already stands in helper.did once the helper has done something, unless somebody
// waits to know: then it is a channel that is closed.
var already chan struct{}

func newHelper() *helper {
	h := &helper{quit: make(chan struct{}), served: -1}
	h.channels = h.one[:0]
	return h
}

// AwaitChannel waits for c alone, until that has done something or ctx ends. It
// returns nil in the first case, even if ctx has ended meanwhile. If c panics, so
// does AwaitChannel.
func (p *Parking) AwaitChannel(ctx context.Context, c Channel) error {
	l := p.Loop()
	if l.closing || CauseOf(ctx) != nil {
		return p.Wait(ctx, nil, c) // which says so
	}
	h := newHelper()
	h.channels = append(h.channels, channelCase{c, 0})
	h.start(l)
	l.BeginOutside()
	err := p.Wait(ctx, &h.word, c)
	l.EndOutside()
	if h.settle(p) {
		return nil
	}
	return err
}

// start starts the goroutine.
func (h *helper) start(l *Loop) {
	l.Env.Go(env.Waiter, func() { h.run(l) })
	l.HandOver()
}

func (h *helper) run(l *Loop) {
	if h.begun.Swap(true) {
		return
	}
	informed := false
	defer func() {
		if v := recover(); v != nil {
			h.failure = v
			h.served = h.channels[0].index // or another one: it is not known which of the sends
		}
		if h.served >= 0 {
			if waits := h.did.Swap(&already); waits != nil {
				close(*waits)
			}
		}
		if !informed {
			l.Post(h.tell)
		}
	}()
	at, ok := h.do()
	if at < 0 {
		informed = ok // by withdraw, which waits for no word
		return
	}
	h.served = h.channels[at].index
}

// do waits for the channels and returns which one it was; -1 if it was called off.
func (h *helper) do() (at int, ok bool) {
	if len(h.channels) == 1 {
		if done, ok := h.channels[0].Do(h.quit); !done {
			return -1, ok
		}
		return 0, true
	}
	ops := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(h.quit)}}
	for _, c := range h.channels {
		ops = append(ops, c.Operation())
	}
	at, v, ok := reflect.Select(ops)
	if at--; at >= 0 {
		h.channels[at].Done(v, ok)
	}
	return at, ok
}

// tell is the goroutine's word on the loop.
func (h *helper) tell() {
	h.ended = true
	if h.selection != nil {
		h.selection.end(nil, nil)
	} else {
		h.word.WakeAll()
	}
}

// withdraw calls the helper off at once, and reports false if it was too late. It
// holds the loop until the goroutine has had a processor, if that has begun to do
// something: so it is for when the answer has to be known before anything else
// happens. Otherwise there is settle.
func (h *helper) withdraw() bool {
	if h.ended || !h.begun.Swap(true) {
		h.ended = true
		return h.served < 0
	}
	did := make(chan struct{})
	if !h.did.CompareAndSwap(nil, &did) {
		return false
	}
	select {
	case h.quit <- struct{}{}:
		h.ended = true
		return true
	case <-did:
		return false
	}
}

// settle calls the helper off if it has not ended, waits for its word without
// holding the loop, and reports whether the helper was quicker. The word comes
// soon and for certain, so meanwhile a virtual clock stands still and nothing
// cancels the wait. If the helper has panicked, so does settle.
func (h *helper) settle(p *Parking) bool {
	if !h.ended && h.begun.Swap(true) && h.did.Load() == nil {
		h.dismiss(p)
	}
	if h.failure != nil {
		panic(h.failure)
	}
	return h.served >= 0
}

func (h *helper) dismiss(p *Parking) {
	l := p.Loop()
	close(h.quit)
	l.BeginThread()
	for !h.ended {
		if l.closing { // and so wakes all who wait, time and again
			runtime.Gosched()
		}
		p.Join(&h.word, h.channels[0].Channel)
	}
	l.EndThread()
}
