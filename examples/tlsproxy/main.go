// Command tlsproxy puts TLS in front of a service that speaks without:
//
//	tlsproxy -listen localhost:8443 -to localhost:8080 -cert cert.pem -key key.pem -alpn http/1.1 -client-ca ca.pem
//
// A goodbye of TLS becomes the end of the plain stream, and the other way about, while the other direction goes on. What
// ends without a goodbye was cut, and the other side gets a reset. SIGHUP loads the certificate anew, for handshakes from
// then on. SIGTERM or Ctrl-C stops listening and lets connections finish for the time that -drain says; a second one ends
// the program at once.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/aionet"
)

func main() {
	p := &proxy{}
	listen := flag.String("listen", "localhost:8443", "where to listen")
	flag.StringVar(&p.to, "to", "", "where the service is")
	flag.StringVar(&p.certFile, "cert", "", "file with the certificate, and those up to the authority")
	flag.StringVar(&p.keyFile, "key", "", "file with its key")
	flag.StringVar(&p.clientCA, "client-ca", "", "file with authorities; only clients with a certificate of theirs may come in")
	flag.Func("alpn", "protocol that the service speaks, as http/1.1; may be given more than once", func(name string) error {
		p.config.NextProtos = append(p.config.NextProtos, name)
		return nil
	})
	flag.IntVar(&p.most, "max", 1000, "connections at once")
	flag.DurationVar(&p.idle, "idle", 5*time.Minute, "how long a connection may be silent in both directions")
	flag.DurationVar(&p.drain, "drain", 10*time.Second, "how long connections may go on after SIGTERM")
	flag.Parse()
	if p.to == "" || p.certFile == "" || p.keyFile == "" || p.most < 1 || p.idle <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error { return p.run(ctx, *listen) },
		asyncio.WithInterrupt(false))
	if err != nil {
		fmt.Fprintln(os.Stderr, "tlsproxy:", err)
		os.Exit(1)
	}
}

// dialLimit is how long the service may take to answer.
const dialLimit = 10 * time.Second

// proxy is the whole program. Its tasks share it without locks: only one of them runs at a time.
type proxy struct {
	to, certFile, keyFile, clientCA string
	most                            int
	idle, drain                     time.Duration

	config      tls.Config
	certificate *tls.Certificate // for the next handshake
}

func (p *proxy) run(ctx context.Context, listen string) error {
	if err := p.configure(ctx); err != nil {
		return err
	}
	ln, err := aionet.ListenTLS(ctx, "tcp", listen, &p.config)
	if err != nil {
		return err
	}
	server := aionet.NewServer(ctx, p.serve, aionet.WithMaxConnections(p.most), aionet.WithDrain(p.drain))
	if err := server.AddListener(ln); err != nil {
		return err
	}
	loop := asyncio.RunningLoop(ctx)
	stop := func(os.Signal) {
		loop.RemoveSignalHandler(os.Interrupt) // the next one ends the process
		loop.RemoveSignalHandler(syscall.SIGTERM)
		server.Close()
	}
	reload := func(os.Signal) { asyncio.Go(ctx, p.reload) }
	err = errors.Join(loop.AddSignalHandler(os.Interrupt, stop), loop.AddSignalHandler(syscall.SIGTERM, stop),
		loop.AddSignalHandler(syscall.SIGHUP, reload))
	if err != nil {
		return err
	}
	fmt.Println("listening on", ln.Addr())
	return server.ServeForever(ctx)
}

func (p *proxy) configure(ctx context.Context) error {
	p.config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.certificate, nil }
	if p.clientCA != "" {
		text, err := aiofile.ReadFile(ctx, p.clientCA)
		if err != nil {
			return err
		}
		p.config.ClientAuth = tls.RequireAndVerifyClientCert
		p.config.ClientCAs = x509.NewCertPool()
		if !p.config.ClientCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("%s: there is no certificate in it; it must have some in PEM", p.clientCA)
		}
	}
	return p.load(ctx)
}

// load reads the certificate. Unless all is well, the one before stays.
func (p *proxy) load(ctx context.Context) error {
	cert, err := aiofile.ReadFile(ctx, p.certFile)
	if err != nil {
		return err
	}
	key, err := aiofile.ReadFile(ctx, p.keyFile)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", p.certFile, p.keyFile, err)
	}
	p.certificate = &pair
	return nil
}

func (p *proxy) reload(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tlsproxy: the old certificate stays:", err)
		return nil
	}
	fmt.Fprintln(os.Stderr, "tlsproxy: the certificate was loaded")
	return nil
}

// serve is the life of one connection, whose handshake has been done.
func (p *proxy) serve(ctx context.Context, c net.Conn) error {
	near := c.(*aionet.TLSConn)
	far, err := asyncio.WaitFor(ctx, dialLimit, func(ctx context.Context) (*aionet.Conn, error) {
		return aionet.Dial(ctx, "tcp", p.to)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "tlsproxy:", err)
		return abort(near)
	}
	defer far.Close()
	if err := p.relay(ctx, near, far); err != nil {
		far.Abort() // either side learns that it was no ordinary end
		return abort(near)
	}
	return nil
}

// abort ends the connection without the goodbye that Close would say.
func abort(c *aionet.TLSConn) error { return c.NetConn().(*aionet.Conn).Abort() }

// relay copies both ways until both have ended, or neither has moved for too long.
func (p *proxy) relay(ctx context.Context, near *aionet.TLSConn, far *aionet.Conn) error {
	loop := asyncio.RunningLoop(ctx)
	return asyncio.TimeoutScope(ctx, p.idle, func(ctx context.Context, quiet *asyncio.Deadline) error {
		moved := func() { _ = quiet.Reschedule(loop.Time() + p.idle) } // fails if it is too late
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(func(context.Context) error { return pass(near, far, moved) })
			g.Go(func(context.Context) error { return pass(far, near, moved) })
			return nil
		})
	})
}

// half is what pass needs of a connection, plain or not.
type half interface {
	io.ReadWriter
	CloseWrite() error
}

// pass copies one way, and passes the end on. A stream of TLS that was cut is an error, and no end.
func pass(from, to half, moved func()) error {
	buf := make([]byte, 16<<10) // a record
	for {
		n, err := from.Read(buf)
		if err == io.EOF {
			return to.CloseWrite()
		}
		if err != nil {
			return err
		}
		moved()
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
	}
}
