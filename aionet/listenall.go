package aionet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"
)

// portTries is how often a port that the system has chosen at one address may be taken at another.
const portTries = 10

// ListenAll opens a listener at each of several addresses, and for a name that has several, at each of its addresses:
// both of 127.0.0.1 and ::1, say. Duplicates are dropped. Where the port is 0, all get the same one. If one of them
// cannot be opened, none is.
//
// It waits and is ended as [Listen] is.
func ListenAll(ctx context.Context, network string, addresses []string, opts ...Option) ([]*Listener, error) {
	all, err := resolveAll(ctx, network, addresses, opts)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		lns, err := listenAll(ctx, network, all, opts)
		if err == nil || try == portTries || !errors.Is(err, syscall.EADDRINUSE) || !slices.ContainsFunc(all, portOpen) {
			return lns, err
		}
	}
}

func resolveAll(ctx context.Context, network string, addresses []string, opts []Option) (all []string, err error) {
	l, err := loopOf(ctx)
	if err != nil {
		return nil, fmt.Errorf("aionet: ListenAll: %w", err)
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("aionet: ListenAll: there is no address")
	}
	for _, address := range addresses {
		found, err := resolve(ctx, l, optionsOf(opts).resolver, network, address)
		if err != nil {
			return nil, fmt.Errorf("aionet: %w", &net.OpError{Op: "listen", Net: network, Addr: name{network, address}, Err: err})
		}
		for _, a := range found {
			if !slices.Contains(all, a.String()) {
				all = append(all, a.String())
			}
		}
	}
	return all, nil
}

func listenAll(ctx context.Context, network string, addresses []string, opts []Option) (lns []*Listener, err error) {
	port := 0
	for _, a := range addresses {
		if port != 0 && portOpen(a) {
			host, _, _ := net.SplitHostPort(a)
			a = net.JoinHostPort(host, strconv.Itoa(port))
		}
		ln, err := Listen(ctx, network, a, opts...)
		if err != nil {
			for _, ln := range lns {
				ln.Close()
			}
			return nil, err
		}
		lns = append(lns, ln)
		if t, ok := ln.Addr().(*net.TCPAddr); ok && portOpen(a) {
			port = t.Port
		}
	}
	return lns, nil
}

// portOpen reports whether the system is to choose the port.
func portOpen(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && port == "0"
}
