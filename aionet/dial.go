package aionet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// headStart is how long one address is tried alone before the next one is tried as well.
const headStart = 250 * time.Millisecond

// Dial connects to address: "host:port" on the networks "tcp", "tcp4" and "tcp6", a path or "@name" on "unix".
//
// A name is looked up in a thread. If it has several addresses, the next one is tried when one has failed, or has
// not answered for 250 ms; the first connection wins. The error names each address and what was wrong with it, and
// is a *net.OpError to errors.As.
//
// Dial waits, and is ended by ctx; nothing is left open then. It has no time limit of its own: use asyncio.Timeout.
func Dial(ctx context.Context, network, address string, opts ...Option) (*Conn, error) {
	l := asyncio.RunningLoop(ctx)
	o := optionsOf(opts)
	if o.ReusePort {
		return nil, fmt.Errorf("aionet: dial %s %s: WithReusePort is for Listen", network, address)
	}
	d := &dialer{loop: l, network: network, options: o}
	addrs, err := resolve(ctx, l, o.resolver, network, address)
	if err != nil {
		return nil, fmt.Errorf("aionet: %w", &net.OpError{Op: "dial", Net: network, Addr: name{network, address}, Err: err})
	}
	if len(addrs) == 1 {
		c, err := d.dial(ctx, addrs[0])
		if err != nil {
			return nil, fmt.Errorf("aionet: %w", err)
		}
		return c, nil
	}
	c, err := d.race(ctx, addrs)
	if err != nil {
		return nil, fmt.Errorf("aionet: dial %s %s: %w", network, address, err)
	}
	return c, nil
}

// name is an address that has not been looked up.
type name struct{ network, address string }

func (n name) Network() string { return n.network }
func (n name) String() string  { return n.address }

type dialer struct {
	loop    *asyncio.Loop
	network string
	options *options
}

func (d *dialer) dial(ctx context.Context, a net.Addr) (*Conn, error) {
	c, err := d.connect(ctx, a)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: d.network, Source: d.options.Local, Addr: a, Err: explain(err)}
	}
	return c, nil
}

// connect tries again when the system has connected the socket with itself, as it may do if it picks the very port
// that is dialled, at which nobody listens.
func (d *dialer) connect(ctx context.Context, a net.Addr) (*Conn, error) {
	for {
		c, err := d.connectOnce(ctx, a)
		if err != nil || d.network == "unix" || d.options.Local != nil || c.LocalAddr().String() != c.RemoteAddr().String() {
			return c, err
		}
		c.Close()
	}
}

func (d *dialer) connectOnce(ctx context.Context, a net.Addr) (*Conn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	s, err := d.open(ctx, a)
	if err != nil {
		return nil, err
	}
	c, err := newConn(d.loop, d.network, s)
	if err != nil {
		return nil, err
	}
	for {
		err := s.Connect()
		if err == poller.ErrAgain {
			if err = s.Arm(poller.Write); err == nil {
				err = c.writers.WaitIO(ctx, dialWait{d.network, a})
			}
		} else if err == nil {
			return c, nil
		}
		if err != nil {
			c.Close()
			return nil, err
		}
	}
}

// open begins to connect. A Unix listener whose queue is full says so at once, and not when there is room again.
func (d *dialer) open(ctx context.Context, a net.Addr) (poller.Socket, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		s, err := d.loop.Poller().Dial(d.network, a, &d.options.Options)
		if !errors.Is(err, syscall.EAGAIN) {
			return s, err
		}
		if err := asyncio.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

type dialWait struct {
	network string
	addr    net.Addr
}

func (w dialWait) WaitName() string { return "dial " + w.network + " " + w.addr.String() }

// race tries the addresses one after another, each with a head start, until one connects.
func (d *dialer) race(ctx context.Context, addrs []net.Addr) (won *Conn, _ error) {
	var errs []error
	var failed asyncio.Event
	err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		try := func(ctx context.Context, a net.Addr) {
			c, err := d.dial(ctx, a)
			switch {
			case err != nil:
				errs = append(errs, err)
				failed.Set()
			case won != nil:
				c.Close()
			default:
				won = c
				g.Cancel()
			}
		}
		for i, a := range addrs {
			failed.Clear()
			g.Go(func(ctx context.Context) error {
				try(ctx, a)
				return nil
			})
			if i < len(addrs)-1 {
				err := asyncio.Timeout(ctx, headStart, failed.Wait)
				if _, late := err.(*asyncio.TimeoutError); err != nil && !late || won != nil {
					return nil
				}
			}
		}
		return nil
	})
	if won != nil && context.Cause(ctx) == nil {
		return won, nil
	}
	if won != nil {
		won.Close()
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("none of its %d addresses answers: %w", len(addrs), errors.Join(errs...))
}
