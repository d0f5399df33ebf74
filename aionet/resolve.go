package aionet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// A Resolver finds the addresses of a name.
//
// A *net.Resolver is one, and its lookups, which block, run in threads. Any other is called on the loop, in the
// coroutine that wants to know: it may wait with ctx, and must not block. For one that blocks see [ThreadResolver].
type Resolver interface {
	// LookupNetIP returns the addresses of host, those first that are to be tried first. network says which:
	// "ip", "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// ThreadResolver returns a resolver that calls r in threads, at most 16 at once on a loop. They are not the threads of
// asyncio.ToThread: a dead name server must not keep files and databases waiting.
//
// A lookup is ended by ctx at once; its thread ends when r heeds ctx.
func ThreadResolver(r Resolver) Resolver {
	if r == nil {
		panic("aionet: ThreadResolver: nil resolver")
	}
	return threadResolver{r}
}

type threadResolver struct{ Resolver }

func (t threadResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: look %s up: %w", host, err)
	}
	return asyncio.ToThreadIn(ctx, lookupLimiter(l), func() ([]netip.Addr, error) {
		return t.Resolver.LookupNetIP(ctx, network, host)
	})
}

// unblocked makes of r what may be called on the loop.
func unblocked(r Resolver) Resolver {
	if blocks(r) {
		return threadResolver{r}
	}
	return r
}

func blocks(r Resolver) bool {
	_, blocks := r.(*net.Resolver)
	return blocks
}

// ask calls a method of the environment's names.
func ask[T any](ctx context.Context, l *engine.Loop, names env.Names, call func() (T, error)) (T, error) {
	if blocks(names) {
		return asyncio.ToThreadIn(ctx, lookupLimiter(l), call)
	}
	return call()
}

// LookupNetIP returns the addresses of host, as [Dial] would try them but for [Interleave] (asyncio's getaddrinfo).
// network is "ip", "ip4" or "ip6". An address as host needs no resolver.
//
// It waits, and is ended by ctx.
func LookupNetIP(ctx context.Context, network, host string, opts ...Option) ([]netip.Addr, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: look %s up: %w", host, err)
	}
	switch network {
	case "ip", "ip4", "ip6":
	default:
		return nil, fmt.Errorf("aionet: look %s up: %w", host, net.UnknownNetworkError(network))
	}
	ips, err := lookup(ctx, l, optionsOf(opts).resolver, network, host)
	if err != nil {
		return nil, fmt.Errorf("aionet: %w", err)
	}
	return ips, nil
}

// LookupAddr returns the names of an address (asyncio's getnameinfo), by net.DefaultResolver or the *net.Resolver of
// [WithResolver].
//
// It waits, and is ended by ctx.
func LookupAddr(ctx context.Context, addr netip.Addr, opts ...Option) ([]string, error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: look %s up: %w", addr, err)
	}
	r, ok := optionsOf(opts).resolver.(interface {
		LookupAddr(ctx context.Context, addr string) ([]string, error)
	})
	var names []string
	if ok {
		names, err = asyncio.ToThreadIn(ctx, lookupLimiter(l), func() ([]string, error) {
			return r.LookupAddr(ctx, addr.String())
		})
	} else {
		own := l.Env.Names()
		names, err = ask(ctx, l, own, func() ([]string, error) { return own.LookupAddr(ctx, addr.String()) })
	}
	if err != nil {
		return nil, fmt.Errorf("aionet: %w", err)
	}
	return names, nil
}

// lookupsAtOnce bounds the threads that look names up.
const lookupsAtOnce = 16

// lookups is what the look-ups of a loop have in common.
type lookups struct{ limit *asyncio.ThreadLimiter }

func lookupLimiter(l *engine.Loop) *asyncio.ThreadLimiter {
	return engine.Shared(l, func() *lookups { return &lookups{asyncio.NewThreadLimiter(lookupsAtOnce)} }).limit
}

// resolve returns the addresses of streams that address stands for, in the order in which they are to be tried.
func resolve(ctx context.Context, l *engine.Loop, r Resolver, network, address string) ([]net.Addr, error) {
	switch network {
	case "unix":
		return []net.Addr{&net.UnixAddr{Name: address, Net: network}}, nil
	case "tcp", "tcp4", "tcp6":
		return resolveIP(ctx, l, r, network, address)
	case "udp", "udp4", "udp6", "unixgram":
		return nil, fmt.Errorf("%w for streams; ListenPacket and DialPacket are for datagrams", net.UnknownNetworkError(network))
	}
	return nil, net.UnknownNetworkError(network)
}

// resolvePacket is resolve for datagrams.
func resolvePacket(ctx context.Context, l *engine.Loop, r Resolver, network, address string) ([]net.Addr, error) {
	switch network {
	case "unixgram":
		return []net.Addr{&net.UnixAddr{Name: address, Net: network}}, nil
	case "udp", "udp4", "udp6":
		return resolveIP(ctx, l, r, network, address)
	case "tcp", "tcp4", "tcp6", "unix":
		return nil, fmt.Errorf("%w for datagrams; Listen and Dial are for streams", net.UnknownNetworkError(network))
	}
	return nil, net.UnknownNetworkError(network)
}

func resolveIP(ctx context.Context, l *engine.Loop, r Resolver, network, address string) ([]net.Addr, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := portOf(ctx, l, network, service)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return []net.Addr{addrOn(network, netip.AddrPortFrom(netip.Addr{}, port))}, nil
	}
	ips, err := lookup(ctx, l, r, "ip"+network[len("tcp"):], host)
	if err != nil {
		return nil, err
	}
	addrs := make([]net.Addr, len(ips))
	for i, ip := range ips {
		addrs[i] = addrOn(network, netip.AddrPortFrom(ip, port))
	}
	return addrs, nil
}

// lookup returns at least one address. All are of the family that network asks for.
func lookup(ctx context.Context, l *engine.Loop, r Resolver, network, host string) ([]netip.Addr, error) {
	ip, err := netip.ParseAddr(host)
	found := []netip.Addr{ip}
	if err != nil {
		if r == nil {
			r = l.Env.Names()
		}
		if found, err = unblocked(r).LookupNetIP(ctx, network, host); err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, &net.DNSError{Err: "the resolver's answer is empty", Name: host, IsNotFound: true}
		}
	}
	ips := make([]netip.Addr, 0, len(found))
	for _, ip := range found {
		ip = ip.Unmap()
		if network == "ip4" && !ip.Is4() || network == "ip6" && ip.Is4() {
			continue
		}
		ips = append(ips, ip)
	}
	if len(ips) == 0 {
		return nil, &net.AddrError{Err: "no IPv" + network[len("ip"):] + " address", Addr: host}
	}
	return ips, nil
}

func portOf(ctx context.Context, l *engine.Loop, network, service string) (uint16, error) {
	if service == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return uint16(n), nil
	}
	names := l.Env.Names()
	n, err := ask(ctx, l, names, func() (int, error) { return names.LookupPort(ctx, network, service) }) // reads a file
	return uint16(n), err
}

func addrOn(network string, a netip.AddrPort) net.Addr {
	if strings.HasPrefix(network, "udp") {
		return net.UDPAddrFromAddrPort(a)
	}
	return net.TCPAddrFromAddrPort(a)
}
