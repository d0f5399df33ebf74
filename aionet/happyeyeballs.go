package aionet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-asyncio/asyncio"
)

// headStart is how long one address is tried alone before the next one is tried as well: RFC 8305's default.
const headStart = 250 * time.Millisecond

// WithHappyEyeballs sets how long Dial waits for one address to answer before it tries the next one as well, on the
// loop's clock; without it that is 250 ms. With [asyncio.Forever] an address has to fail before the next is tried.
//
// It panics if delay <= 0.
func WithHappyEyeballs(delay time.Duration) Option {
	if delay <= 0 {
		panic(fmt.Sprintf("aionet: WithHappyEyeballs: the delay is %v; it must be more than 0", delay))
	}
	return func(o *options) { o.headStart = delay }
}

// WithFirstFamily lets Dial try n addresses of the family that the resolver prefers before one of the other; without it
// that is one. See [Interleave].
//
// It panics if n < 1.
func WithFirstFamily(n int) Option {
	if n < 1 {
		panic(fmt.Sprintf("aionet: WithFirstFamily: the family gets %d addresses; it must be at least 1", n))
	}
	return func(o *options) { o.firstFamily = n }
}

// race tries the addresses one after another, each with a head start, until one connects (RFC 8305, section 5). Who has
// won is decided on the loop, when a connection stands; the others are given up.
func (d *dialer) race(ctx context.Context, addrs []net.Addr) (*Conn, error) {
	tries := make([]asyncio.Coroutine[*Conn], len(addrs))
	for i, a := range addrs {
		tries[i] = func(ctx context.Context) (*Conn, error) {
			c, err := d.dial(ctx, a)
			if err == nil && ctx.Err() != nil { // too late
				c.Close()
				return nil, context.Cause(ctx)
			}
			return c, err
		}
	}
	c, winner, errs := asyncio.StaggeredRace(ctx, d.options.headStart, tries...)
	if winner >= 0 {
		return c, nil
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("none of its %d addresses answers: %w", len(addrs), errors.Join(distinct(errs)...))
}

// distinct drops errors that say what another one has said: a resolver may name an address twice.
func distinct(errs []error) []error {
	said := make(map[string]bool, len(errs))
	var kept []error
	for _, err := range errs {
		if !said[err.Error()] {
			said[err.Error()] = true
			kept = append(kept, err)
		}
	}
	return kept
}
