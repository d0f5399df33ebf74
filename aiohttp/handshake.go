package aiohttp

import (
	"context"
	"crypto/tls"
	"net"
)

func handshake(ctx context.Context, nc net.Conn, config *tls.Config) (net.Conn, tls.ConnectionState, error) {
	c := tls.Client(nc, config)
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, tls.ConnectionState{}, err
	}
	return c, c.ConnectionState(), nil
}

func defaultDial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}
