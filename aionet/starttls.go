package aionet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-asyncio/asyncio"
)

// DialTLS connects as [Dial] does and shakes hands. config may be nil; without a ServerName it takes the host of
// address, but on "unix", where there is none. [WithHandshakeTimeout] and [WithShutdownTimeout] are taken besides
// Dial's options.
//
// It waits, and is ended by ctx; nothing is left open then.
func DialTLS(ctx context.Context, network, address string, config *tls.Config, opts ...Option) (*TLSConn, error) {
	o, err := secureOptions(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("aionet: dial %s %s: %w", network, address, err)
	}
	c, err := Dial(ctx, network, address, append(opts[:len(opts):len(opts)], withoutTLS)...)
	if err != nil {
		return nil, err
	}
	if network != "unix" {
		config = withServerName(config, address)
	}
	return startTLS(ctx, c, nil, config, ClientSide, o.secure)
}

// withServerName returns config with the name that the server has to prove.
func withServerName(config *tls.Config, address string) *tls.Config {
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName != "" {
		return config
	}
	config = config.Clone()
	config.ServerName = address
	if host, _, err := net.SplitHostPort(address); err == nil {
		config.ServerName = host
	}
	return config
}

// StartTLS makes a connection on which something may have been said before one of TLS, as its client or its server,
// and shakes hands (asyncio's start_tls). c may be a [Conn], a [TLSConn] (TLS inside TLS), or any net.Conn that suspends
// coroutines; nobody else may read from or write to it any more. What the caller has read from c and not used must not
// be the beginning of TLS: see [Writer.StartTLS] for that. Options are [WithHandshakeTimeout] and [WithShutdownTimeout].
//
// It waits, and is ended by ctx. After an error c is closed.
func StartTLS(ctx context.Context, c net.Conn, config *tls.Config, side TLSSide, opts ...Option) (*TLSConn, error) {
	o, err := secureOptions(ctx, opts)
	if err != nil {
		if c != nil {
			c.Close()
		}
		return nil, fmt.Errorf("aionet: start TLS: %w", err)
	}
	return startTLS(ctx, c, nil, config, side, o.secure)
}

func startTLS(ctx context.Context, c net.Conn, early []byte, config *tls.Config, side TLSSide, o tlsOptions) (*TLSConn, error) {
	l, err := loopOf(ctx)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("aionet: TLS handshake with %s: %w", nameOf(c), err)
	}
	t := newTLS(l, c, early, config, side)
	t.set(o)
	if err := t.HandshakeContext(ctx); err != nil {
		t.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("aionet: TLS handshake with %s: %w", nameOf(c), err)
	}
	return t, nil
}

// tlsOptions are the options of what speaks TLS.
type tlsOptions struct {
	given               string // the name of one that was given
	handshake, shutdown time.Duration
}

// WithHandshakeTimeout limits the time for a TLS handshake, in DialTLS, ListenTLS and StartTLS. Without it a server
// takes 10 s, and a client has no limit but its context. It must be positive.
func WithHandshakeTimeout(d time.Duration) Option {
	return func(o *options) { o.secure.given, o.secure.handshake = "WithHandshakeTimeout", orInvalid(d) }
}

// WithShutdownTimeout limits the time for which a TLS connection goes on sending after Close what was written before,
// in place of 5 s. It must be positive.
func WithShutdownTimeout(d time.Duration) Option {
	return func(o *options) { o.secure.given, o.secure.shutdown = "WithShutdownTimeout", orInvalid(d) }
}

func (t *TLSConn) set(o tlsOptions) {
	t.limit = o.handshake
	if o.shutdown > 0 {
		t.out.setLinger(o.shutdown)
	}
}

// withoutTLS takes those options back.
func withoutTLS(o *options) { o.secure = tlsOptions{} }

// orInvalid keeps a timeout of zero apart from none.
func orInvalid(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

func (o *tlsOptions) check() error {
	if o.handshake < 0 || o.shutdown < 0 {
		return fmt.Errorf("%s must be positive", o.given)
	}
	return nil
}

// secureOptions begins a function that speaks TLS.
func secureOptions(ctx context.Context, opts []Option) (*options, error) {
	if _, err := loopOf(ctx); err != nil {
		return nil, err
	}
	o := optionsOf(opts)
	return o, o.secure.check()
}

// refuse is for what does not speak TLS.
func (o *tlsOptions) refuse() error {
	if o.given != "" {
		return fmt.Errorf("%s is for TLS", o.given)
	}
	return nil
}

var rootsLoaded atomic.Bool

// loadRoots reads the system's certificates in a thread, once, if the handshake needs them. crypto/x509 would do so within
// the first one, which would hold the loop for many milliseconds.
func loadRoots(ctx context.Context, config *tls.Config, side TLSSide) error {
	if side == ServerSide || config.RootCAs != nil || config.InsecureSkipVerify || rootsLoaded.Load() {
		return nil
	}
	_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
		_, _ = x509.SystemCertPool() // its error comes again when a certificate is verified
		rootsLoaded.Store(true)
		return asyncio.None{}, nil
	})
	return err
}
