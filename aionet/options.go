package aionet

import (
	"net"
	"time"

	"github.com/go-asyncio/asyncio/internal/poller"
)

// An Option changes how Dial and Listen, and their TLS forms, make a socket.
type Option func(*options)

type options struct {
	poller.Options
	locals      []net.Addr // Local is the one of them that is in use
	resolver    Resolver   // nil: the environment's
	headStart   time.Duration
	firstFamily int
	secure      tlsOptions
}

// WithDelay lets TCP gather small writes into larger packets (Nagle's algorithm), which adds up to 40 ms to an answer
// but saves packets. Without it each write is sent at once.
func WithDelay() Option { return func(o *options) { o.Delay = true } }

// WithKeepAlive sets TCP's keep-alive probes. Without it they are on, after 15 s of silence, as in package net.
func WithKeepAlive(c net.KeepAliveConfig) Option { return func(o *options) { o.KeepAlive = c } }

// WithLocalAddr lets Dial and DialPacket connect from this address, a *net.TCPAddr, *net.UDPAddr or *net.UnixAddr. Of
// several, each remote address is dialled from the first one of its family that can be had; remote addresses of
// another family are left out. Listen does not take it.
func WithLocalAddr(a ...net.Addr) Option {
	return func(o *options) {
		o.locals = a
		if len(a) > 0 {
			o.Local = a[0]
		}
	}
}

// WithReusePort lets other sockets, of this process or another, listen at the same address; the system spreads the
// connections over them. That is how several loops share a port. Dial does not take it.
func WithReusePort() Option { return func(o *options) { o.ReusePort = true } }

// WithResolver sets who looks names up, instead of net.DefaultResolver.
func WithResolver(r Resolver) Option {
	if r == nil {
		panic("aionet: WithResolver: nil resolver")
	}
	return func(o *options) { o.resolver = r }
}

// WithBroadcast lets a datagram socket send to broadcast addresses, which the system refuses without it.
func WithBroadcast() Option { return func(o *options) { o.Broadcast = true } }

func optionsOf(opts []Option) *options {
	o := &options{headStart: headStart, firstFamily: 1}
	o.KeepAlive = net.KeepAliveConfig{Enable: true}
	for _, set := range opts {
		set(o)
	}
	return o
}
