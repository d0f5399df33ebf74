package aionet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// Dial connects to address: "host:port" on the networks "tcp", "tcp4" and "tcp6", a path or "@name" on "unix".
//
// An IP address, also with a zone, is dialled as it is; a name is looked up (see [WithResolver]). If it has several
// addresses, IPv6 and IPv4 are tried in turns, the next one when one has failed, or has not answered for 250 ms; the
// first connection wins, and the other attempts are given up (RFC 8305; see [WithHappyEyeballs]). The error names
// each address and what was wrong with it, and is a *net.OpError to errors.As. The port may be a service's name.
//
// Dial waits, and is ended by ctx; nothing is left open then. It has no time limit of its own: use asyncio.Timeout.
func Dial(ctx context.Context, network, address string, opts ...Option) (*Conn, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: dial %s %s: %w", network, address, err)
	}
	o := optionsOf(opts)
	if o.ReusePort {
		return nil, fmt.Errorf("aionet: dial %s %s: WithReusePort is for Listen", network, address)
	}
	if err := o.secure.refuse(); err != nil {
		return nil, fmt.Errorf("aionet: dial %s %s: %w", network, address, err)
	}
	d := &dialer{loop: l, network: network, options: o}
	addrs, err := d.addresses(ctx, address)
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

// addresses returns those to try, in their order.
func (d *dialer) addresses(ctx context.Context, address string) ([]net.Addr, error) {
	addrs, err := resolve(ctx, d.loop, d.options.resolver, d.network, address)
	if err != nil {
		return nil, err
	}
	suited, err := d.suited(addrs)
	return interleave(suited, d.options.firstFamily, isIPv4), err
}

// suited leaves out those that no local address can dial.
func (d *dialer) suited(addrs []net.Addr) ([]net.Addr, error) {
	suited := slices.DeleteFunc(addrs, func(a net.Addr) bool {
		return len(d.options.locals) > 0 && len(d.localsFor(a)) == 0
	})
	if len(suited) == 0 {
		return nil, fmt.Errorf("it has no address of the family of %v, from which it was to be dialled", d.options.locals)
	}
	return suited, nil
}

// localsFor returns the local addresses from which a can be dialled.
func (d *dialer) localsFor(a net.Addr) (suited []net.Addr) {
	for _, local := range d.options.locals {
		if sameFamily(local, a) {
			suited = append(suited, local)
		}
	}
	return suited
}

// sameFamily is true, too, of an address that is a port only.
func sameFamily(local, remote net.Addr) bool {
	l, r := ipOf(local), ipOf(remote)
	return l == nil || r == nil || (l.To4() == nil) == (r.To4() == nil)
}

func isIPv4(a net.Addr) bool { return ipOf(a).To4() != nil }

func ipOf(a net.Addr) net.IP {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP
	case *net.UDPAddr:
		return a.IP
	}
	return nil
}

// name is an address that has not been looked up.
type name struct{ network, address string }

func (n name) Network() string { return n.network }
func (n name) String() string  { return n.address }

type dialer struct {
	loop    *engine.Loop
	network string
	options *options
}

// dial connects to one address, from the first local one that can be had.
func (d *dialer) dial(ctx context.Context, a net.Addr) (*Conn, error) {
	locals := d.localsFor(a)
	if len(locals) == 0 {
		return d.dialFrom(ctx, nil, a)
	}
	var errs []error
	for _, local := range locals {
		c, err := d.dialFrom(ctx, local, a)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
		if !cannotBind(err) {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func cannotBind(err error) bool {
	sys, ok := errors.AsType[*os.SyscallError](err)
	return ok && sys.Syscall == "bind"
}

func (d *dialer) dialFrom(ctx context.Context, local, a net.Addr) (*Conn, error) {
	c, err := d.connect(ctx, local, a)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: d.network, Source: local, Addr: a, Err: explain(err)}
	}
	return c, nil
}

// connect tries again when the system has connected the socket with itself, as it may do if it picks the very port
// that is dialled, at which nobody listens; and at a Unix listener whose queue is full, who does not say when it is not.
func (d *dialer) connect(ctx context.Context, local, a net.Addr) (*Conn, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		c, err := d.connectOnce(ctx, local, a)
		switch {
		case errors.Is(err, syscall.EAGAIN):
			if err := asyncio.Sleep(ctx, pause); err != nil {
				return nil, err
			}
		case err != nil || d.network == "unix" || local != nil || c.LocalAddr().String() != c.RemoteAddr().String():
			return c, err
		default:
			c.Close()
		}
	}
}

func (d *dialer) connectOnce(ctx context.Context, local, a net.Addr) (*Conn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	o := d.options.Options
	o.Local = local
	s, err := d.loop.Poller().Dial(d.network, a, &o)
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

type dialWait struct {
	network string
	addr    net.Addr
}

func (w dialWait) WaitName() string { return "dial " + w.network + " " + w.addr.String() }
