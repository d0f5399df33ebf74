package asyncio

import (
	"reflect"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// A ChannelReceive is the case of a receive from a Go channel: see [Receiving].
type ChannelReceive[T any] struct {
	Value T    // what was received, when the case was chosen
	OK    bool // false: the channel is closed and empty
	ch    <-chan T
}

// Receiving returns the case for [Select] that receives from ch; Value and OK have
// what was received then. It can be used again and again, by one task. See [Recv]
// for deadlocks and virtual clocks.
func Receiving[T any](ch <-chan T) *ChannelReceive[T] { return &ChannelReceive[T]{ch: ch} }

func (c *ChannelReceive[T]) selecting() engine.Case {
	if c == nil || c.ch == nil {
		return nil
	}
	return (*receiveCase[T])(c)
}

type receiveCase[T any] ChannelReceive[T]

func (c *receiveCase[T]) Try(*engine.Parking) (done bool, err error) {
	select {
	case c.Value, c.OK = <-c.ch:
		return true, nil
	default:
		return false, nil
	}
}

func (c *receiveCase[T]) Enter(s *engine.Selection)           { s.Channel(c) }
func (c *receiveCase[T]) Woken(*engine.Parking) (bool, error) { return true, nil }
func (c *receiveCase[T]) WaitName() string                    { return waitRecv.WaitName() }

func (c *receiveCase[T]) Do(quit <-chan struct{}) (done, ok bool) {
	select {
	case c.Value, c.OK = <-c.ch:
		return true, true
	case _, ok := <-quit:
		return false, ok
	}
}

func (c *receiveCase[T]) Operation() reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c.ch)}
}

func (c *receiveCase[T]) Done(v reflect.Value, ok bool) {
	reflect.ValueOf(&c.Value).Elem().Set(v)
	c.OK = ok
}

// A ChannelSend is the case of a send on a Go channel: see [Sending].
type ChannelSend[T any] struct {
	Value T // what to send
	ch    chan<- T
}

// Sending returns the case for [Select] that sends v on ch. It can be used again
// and again, by one task, with another Value if you like. If ch is closed, Select
// panics, as any send does. See [Recv] for deadlocks and virtual clocks.
func Sending[T any](ch chan<- T, v T) *ChannelSend[T] { return &ChannelSend[T]{Value: v, ch: ch} }

func (c *ChannelSend[T]) selecting() engine.Case {
	if c == nil || c.ch == nil {
		return nil
	}
	return (*sendCase[T])(c)
}

type sendCase[T any] ChannelSend[T]

func (c *sendCase[T]) Try(*engine.Parking) (done bool, err error) {
	select {
	case c.ch <- c.Value:
		return true, nil
	default:
		return false, nil
	}
}

func (c *sendCase[T]) Enter(s *engine.Selection)           { s.Channel(c) }
func (c *sendCase[T]) Woken(*engine.Parking) (bool, error) { return true, nil }
func (c *sendCase[T]) WaitName() string                    { return waitSend.WaitName() }

func (c *sendCase[T]) Do(quit <-chan struct{}) (done, ok bool) {
	select {
	case c.ch <- c.Value:
		return true, true
	case _, ok := <-quit:
		return false, ok
	}
}

func (c *sendCase[T]) Operation() reflect.SelectCase {
	return reflect.SelectCase{
		Dir: reflect.SelectSend, Chan: reflect.ValueOf(c.ch), Send: reflect.ValueOf(&c.Value).Elem(),
	}
}

func (c *sendCase[T]) Done(reflect.Value, bool) {}
