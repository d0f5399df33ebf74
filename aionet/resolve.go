package aionet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// lookupsAtOnce bounds the threads that look names up. They are not the loop's own: a dead name server must not
// keep files and databases waiting.
const lookupsAtOnce = 16

// lookups are the limiters of the loops that have one. They are found by the loop's poller, since holding a Loop
// here would tell it that it is still in use.
var lookups sync.Map // poller.Poller -> *asyncio.ThreadLimiter

func lookupLimiter(l *asyncio.Loop) *asyncio.ThreadLimiter {
	p := l.Poller()
	if t, ok := lookups.Load(p); ok {
		return t.(*asyncio.ThreadLimiter)
	}
	t := asyncio.NewThreadLimiter(lookupsAtOnce)
	lookups.Store(p, t)
	l.AddCloser(forget{p})
	return t
}

type forget struct{ p poller.Poller }

func (f forget) Close() error {
	lookups.Delete(f.p)
	return nil
}

// resolve returns the addresses that address stands for, in the order in which they are to be tried.
func resolve(ctx context.Context, l *asyncio.Loop, r *net.Resolver, network, address string) ([]net.Addr, error) {
	switch network {
	case "unix":
		return []net.Addr{&net.UnixAddr{Name: address, Net: "unix"}}, nil
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, net.UnknownNetworkError(network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := portOf(ctx, l, r, network, service)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return []net.Addr{&net.TCPAddr{Port: port}}, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return tcpAddrs(network, address, []netip.Addr{ip}, port)
	}
	ips, err := asyncio.ToThreadIn(ctx, lookupLimiter(l), func() ([]netip.Addr, error) {
		return r.LookupNetIP(ctx, "ip"+strings.TrimPrefix(network, "tcp"), host)
	})
	if err != nil {
		return nil, err
	}
	return tcpAddrs(network, address, ips, port)
}

func portOf(ctx context.Context, l *asyncio.Loop, r *net.Resolver, network, service string) (int, error) {
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return int(n), nil
	}
	return asyncio.ToThreadIn(ctx, lookupLimiter(l), func() (int, error) { // reads a file
		return r.LookupPort(ctx, network, service)
	})
}

func tcpAddrs(network, address string, ips []netip.Addr, port int) ([]net.Addr, error) {
	addrs := make([]net.Addr, 0, len(ips))
	for _, ip := range ips {
		ip = ip.Unmap()
		if network == "tcp4" && !ip.Is4() || network == "tcp6" && ip.Is4() {
			continue
		}
		addrs = append(addrs, net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port))))
	}
	if len(addrs) == 0 {
		return nil, &net.AddrError{Err: fmt.Sprintf("no address that suits %s", network), Addr: address}
	}
	return addrs, nil
}
