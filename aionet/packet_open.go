package aionet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// ListenPacket opens a socket that receives datagrams at address from anybody, and sends them to anybody: "host:port"
// or ":port" on the networks "udp", "udp4" and "udp6", a path or "@name" on "unixgram". A socket file at which nobody
// listens any more is replaced. Of the options [WithReusePort], [WithBroadcast] and [WithResolver] mean something here.
//
// If the address is a multicast group, the port may be shared with others that listen to groups; the group itself is
// joined by [PacketConn.JoinGroup].
//
// It waits only to look up a name, and is ended by ctx.
func ListenPacket(ctx context.Context, network, address string, opts ...Option) (*PacketConn, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, openError("listen", network, address, err)
	}
	c, err := listenPacket(ctx, l, network, address, optionsOf(opts))
	if err != nil {
		return nil, openError("listen", network, address, err)
	}
	return c, nil
}

func listenPacket(ctx context.Context, l *engine.Loop, network, address string, o *options) (*PacketConn, error) {
	if o.Local != nil {
		return nil, errors.New("WithLocalAddr is for DialPacket")
	}
	if err := o.refuseForPackets(); err != nil {
		return nil, err
	}
	addrs, err := resolvePacket(ctx, l, o.resolver, network, address)
	if err != nil {
		return nil, err
	}
	return bindPacket(ctx, l, network, preferred(addrs), o)
}

// bindPacket replaces a socket's file that nobody listens at.
func bindPacket(ctx context.Context, l *engine.Loop, network string, at net.Addr, o *options) (*PacketConn, error) {
	s, err := l.Poller().ListenPacket(network, at.String(), &o.Options)
	if u, ok := at.(*net.UnixAddr); ok && errors.Is(err, syscall.EADDRINUSE) && u.Name[0] != '@' {
		_, stale := asyncio.ToThread(ctx, func() (struct{}, error) {
			return struct{}{}, l.Poller().RemoveDead(network, u.Name)
		})
		if stale != nil {
			return nil, errors.Join(err, stale)
		}
		s, err = l.Poller().ListenPacket(network, at.String(), &o.Options)
	}
	if err != nil {
		return nil, err
	}
	return newPacketConn(l, s)
}

func (o *options) refuseForPackets() error {
	if o.Mode != 0 || o.KeepFile {
		return errors.New("WithFileMode and WithUnlink are for Listen")
	}
	return o.secure.refuse()
}

// DialPacket opens a socket that exchanges datagrams with the one at address only; see [ListenPacket] for addresses.
// That somebody is there is not known before something comes back. On "unixgram" the other one can answer only if
// [WithLocalAddr] gives this one a name.
//
// With [WithBroadcast] the socket takes datagrams from anybody, since those who answer have addresses of their own;
// Write sends to address.
//
// It waits only to look up a name, and is ended by ctx.
func DialPacket(ctx context.Context, network, address string, opts ...Option) (*PacketConn, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, openError("dial", network, address, err)
	}
	d := &dialer{loop: l, network: network, options: optionsOf(opts)}
	c, err := d.dialPacket(ctx, address)
	if err != nil {
		return nil, openError("dial", network, address, err)
	}
	return c, nil
}

func (d *dialer) dialPacket(ctx context.Context, address string) (*PacketConn, error) {
	if d.options.ReusePort {
		return nil, errors.New("WithReusePort is for ListenPacket")
	}
	if err := d.options.refuseForPackets(); err != nil {
		return nil, err
	}
	addrs, err := resolvePacket(ctx, d.loop, d.options.resolver, d.network, address)
	if err != nil {
		return nil, err
	}
	suited, err := d.suited(addrs)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, a := range suited { // connecting sends nothing: there is no race to be run
		c, err := d.connectPacket(ctx, a)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	return nil, errors.Join(distinct(errs)...)
}

func (d *dialer) connectPacket(ctx context.Context, a net.Addr) (*PacketConn, error) {
	var local net.Addr
	if locals := d.localsFor(a); len(locals) > 0 {
		local = locals[0]
	}
	if d.options.Broadcast {
		return d.broadcastTo(ctx, a, local)
	}
	o := d.options.Options
	o.Local = local
	s, err := d.loop.Poller().DialPacket(d.network, a, &o)
	if err != nil {
		return nil, err
	}
	return newPacketConn(d.loop, s)
}

func (d *dialer) broadcastTo(ctx context.Context, a, local net.Addr) (*PacketConn, error) {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return nil, errors.New("WithBroadcast is for UDP")
	}
	if local == nil {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
		if u.IP.To4() == nil {
			local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv6Unspecified(), 0))
		}
	}
	c, err := bindPacket(ctx, d.loop, d.network, local, d.options)
	if err == nil {
		c.to.Addr = u.AddrPort()
	}
	return c, err
}

// NewPacketConn makes a PacketConn of a socket that has been opened elsewhere, a *net.UDPConn or a *net.UnixConn for
// datagrams (net.FilePacketConn makes one of a descriptor). It takes c over: nobody else may use it any more. On error c
// is closed.
func NewPacketConn(ctx context.Context, c net.PacketConn) (*PacketConn, error) {
	switch c := c.(type) {
	case *net.UDPConn:
		if c != nil {
			return adoptPacket(ctx, c)
		}
	case *net.UnixConn:
		if c != nil {
			return adoptPacket(ctx, c)
		}
	case nil:
	default:
		c.Close()
		return nil, fmt.Errorf("aionet: NewPacketConn: a %T is neither a *net.UDPConn nor a *net.UnixConn", c)
	}
	panic("aionet: NewPacketConn: nil connection")
}

func adoptPacket(ctx context.Context, c poller.PacketConn) (*PacketConn, error) {
	l, err := loopOf(ctx)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("aionet: NewPacketConn: %w", err)
	}
	s, err := l.Poller().AdoptPacket(c)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("aionet: NewPacketConn: %w", err)
	}
	p, err := newPacketConn(l, s)
	if err != nil {
		return nil, fmt.Errorf("aionet: NewPacketConn: %w", err)
	}
	return p, nil
}

// openError says what could not be opened, unless package net has said it.
func openError(op, network, address string, err error) error {
	if _, ok := err.(*net.OpError); !ok {
		err = &net.OpError{Op: op, Net: network, Addr: name{network, address}, Err: err}
	}
	return fmt.Errorf("aionet: %w", explain(err))
}
