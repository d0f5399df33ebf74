//go:build unix

package aionet_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// What is promised of a Server, whatever its clients do: it never has more of them than its limit; however it is told to
// end, it does, and then no handler runs and no protocol is without its ConnectionLost.
func TestFaults_servers(t *testing.T) {
	for _, kind := range faultKinds {
		for _, style := range []string{"handlers", "protocols"} {
			underFaults(t, kind+" "+style, func(seed uint64) error { return newService(seed, kind, style).hold() })
		}
	}
}

// service is a server that sends back what comes, with more clients than it takes at once.
type service struct {
	trial
	random  *rand.Rand
	clients []talker
	server  *aionet.Server
	most    int
	running int // handlers, or protocols
	wrong   error
	make    func(ctx context.Context, opts ...aionet.ServeOption) *aionet.Server
}

func newService(seed uint64, kind, style string) *service {
	r := rand.New(rand.NewPCG(seed, 1))
	size := 1 << (6 + r.IntN(10))
	v := &service{random: r, most: 1 + r.IntN(4), clients: make([]talker, 5)}
	v.trial = newTrial(seed, kind, len(v.clients), size+size/4)
	v.clean = false // the server cuts
	for i := range v.clients {
		v.clients[i] = talker{size: size, salt: byte(i), expect: byte(i), random: rand.New(rand.NewPCG(seed, uint64(i)))}
	}
	v.make = func(ctx context.Context, opts ...aionet.ServeOption) *aionet.Server {
		if style == "handlers" {
			return aionet.NewServer(ctx, v.sendBack, opts...)
		}
		return aionet.NewProtocolServer(ctx, func() aionet.Protocol { return &sendingBack{v: v} }, opts...)
	}
	return v
}

func (v *service) hold() error {
	err := v.run(func(ctx context.Context) error {
		ln, err := v.listen(ctx)
		if err != nil {
			return err
		}
		v.server = v.make(ctx, aionet.WithMaxConnections(v.most), aionet.WithDrain(v.soon()), aionet.WithAbortAfter(v.soon()))
		if err := v.server.AddListener(ln); err != nil {
			return err
		}
		serving := asyncio.Go(ctx, v.server.ServeForever)
		return v.through(ctx, ln.Addr(), func(address string) {
			err = asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for i := range v.clients {
					g.Go(func(ctx context.Context) error { return v.call(ctx, &v.clients[i], address) })
				}
				g.Go(func(ctx context.Context) error { return v.meddle(ctx, serving) })
				return nil
			})
			v.wrong = cmp.Or(v.wrong, err)
		})
	})
	if err = errors.Join(err, v.wrong); err != nil {
		return fmt.Errorf("%w\n%v", err, v.server)
	}
	return nil
}

func (v *service) soon() time.Duration { return time.Duration(v.random.IntN(20)) * time.Millisecond }

// meddle lets the server lose its clients, and then end.
func (v *service) meddle(ctx context.Context, serving *asyncio.Task[asyncio.None]) error {
	for range v.random.IntN(4) {
		if err := asyncio.Sleep(ctx, v.soon()); err != nil {
			return err
		}
		[]func(){v.server.CloseClients, v.server.AbortClients}[v.random.IntN(2)]()
	}
	if err := asyncio.Sleep(ctx, v.soon()); err != nil {
		return err
	}
	switch v.random.IntN(3) {
	case 0:
		if err := v.server.Shutdown(ctx); err != nil && !isTimeout(err) {
			return fmt.Errorf("Shutdown: %w", err)
		}
	case 1:
		v.server.Close()
	case 2:
		serving.Cancel()
	}
	err := asyncio.Timeout(ctx, 10*time.Second, func(ctx context.Context) error {
		_, err := serving.Await(ctx)
		return err
	})
	switch {
	case isTimeout(err):
		return fmt.Errorf("the server does not end: %w", err)
	case err != nil && !serving.Cancelled():
		return fmt.Errorf("ServeForever: %w", err)
	case v.running != 0 || v.server.Connections() != 0 || v.server.IsServing():
		return fmt.Errorf("the server has ended, and %d handlers run", v.running)
	}
	return nil
}

func (v *service) call(ctx context.Context, k *talker, address string) error {
	err := conns{}.call(ctx, &conversation{trial: v.trial}, k, address)
	for _, err := range []error{err, k.writeErr, k.readErr} {
		if !documented(err) || isTimeout(err) && v.limit > time.Second {
			return fmt.Errorf("a client: %w", err)
		}
	}
	if k.got > k.sent {
		k.fault("%d bytes came back of %d", k.got, k.sent)
	}
	return k.wrong
}

func (v *service) came() {
	if v.running++; v.running > v.most {
		v.wrong = fmt.Errorf("%d connections are served, and %d is the limit", v.running, v.most)
	}
}

func (v *service) sendBack(_ context.Context, c net.Conn) error {
	v.came()
	defer func() { v.running-- }()
	_, err := io.Copy(c, c)
	return err
}

// sendingBack is a protocol that reads no faster than its peer.
type sendingBack struct {
	v *service
	t aionet.Transport
}

func (p *sendingBack) ConnectionMade(t aionet.Transport) {
	p.t = t
	p.v.came()
}

func (p *sendingBack) DataReceived(data []byte) { p.t.Write(data) }
func (p *sendingBack) PauseWriting()            { p.t.PauseReading() }
func (p *sendingBack) ResumeWriting()           { p.t.ResumeReading() }
func (p *sendingBack) EOFReceived() bool        { return false }
func (p *sendingBack) ConnectionLost(error)     { p.v.running-- }
