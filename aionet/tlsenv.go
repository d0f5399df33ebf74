package aionet

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// inEnvironment returns config with what crypto/tls would otherwise ask the system for: the time, random numbers, and
// whom to trust. It changes nothing where the loop's environment is the system, nor on a goroutine that is not the loop's,
// since that lives in real time. (Keys are drawn from crypto/rand in any case: since Go 1.26 nothing but
// testing/cryptotest can change that.)
func inEnvironment(l *engine.Loop, config *tls.Config, side TLSSide) *tls.Config {
	if l.Env.Clock == nil && l.Env.Roots == nil || !l.On() {
		return config
	}
	made := engine.Shared(l, func() *tlsOfLoop { return newTLSOfLoop(l) })
	if side == ClientSide {
		return made.config(l, config)
	}
	if made.servers[config] == nil {
		made.servers[config] = made.config(l, config)
	}
	return made.servers[config]
}

// tlsOfLoop is what a loop has for TLS in an environment that is not the system.
type tlsOfLoop struct {
	roots   *x509.CertPool              // nil: the system's
	servers map[*tls.Config]*tls.Config // what was made of each, since it has the keys of its tickets
}

func newTLSOfLoop(l *engine.Loop) *tlsOfLoop {
	o := &tlsOfLoop{servers: map[*tls.Config]*tls.Config{}}
	if l.Env.Roots != nil {
		o.roots = x509.NewCertPool()
	}
	for _, der := range l.Env.Roots {
		if cert, err := x509.ParseCertificate(der); err == nil {
			o.roots.AddCert(cert)
		}
	}
	return o
}

func (o *tlsOfLoop) config(l *engine.Loop, config *tls.Config) *tls.Config {
	config = config.Clone()
	if config.RootCAs == nil {
		config.RootCAs = o.roots
	}
	if l.Env.Clock == nil {
		return config
	}
	if config.Time == nil {
		config.Time = l.Env.Now
	}
	if config.Rand == nil {
		config.Rand = randomReader{l.Rand(env.ForTLS)}
	}
	if choose := config.GetConfigForClient; choose != nil {
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if chosen != nil {
				chosen = o.config(l, chosen)
			}
			return chosen, err
		}
	}
	return config
}

// randomReader makes bytes of random numbers.
type randomReader struct{ env.Random }

func (r randomReader) Read(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], r.Uint64())
		p = p[copy(p, b[:]):]
	}
	return n, nil
}
