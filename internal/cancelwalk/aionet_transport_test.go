//go:build unix

package cancelwalk_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/testcert"
)

func TestTransports(t *testing.T) { testAll(t, transports) }

var transports = []walk{
	{"NewTransport", 1, handsOver(func(ctx context.Context, c *aionet.Conn, p aionet.Protocol) error {
		_, err := aionet.NewTransport(ctx, c, p)
		return err
	})},
	{"NewTransportTLS", 2, handsOver(func(ctx context.Context, c *aionet.Conn, p aionet.Protocol) error {
		_, err := aionet.NewTransportTLS(ctx, c, testcert.Server(), aionet.ServerSide, p)
		return err
	})},
	{"ReadPipe", 1, handsPipeOver(aionet.ReadPipe, 0)},
	{"WritePipe", 1, handsPipeOver(aionet.WritePipe, 1)},
	{"Transport.SendFile", 2, transportSendsFile},
	{"Transport.StartTLS", 2, transportStartsTLS},
}

// A recorder is a protocol that knows what it was told, and closes its transport.
type recorder struct {
	aionet.BaseProtocol
	transport  aionet.Transport
	made, lost int
}

func (p *recorder) ConnectionMade(t aionet.Transport) {
	p.transport = t
	p.made++
}

func (p *recorder) ConnectionLost(error) { p.lost++ }

func (p *recorder) Close() error {
	if p.made != 1 || p.lost != 0 {
		return p.ended(errors.New("it is not open"))
	}
	p.transport.Abort()
	return nil
}

// ended returns err with what p was told.
func (p *recorder) ended(err error) error {
	return fmt.Errorf("%w (ConnectionMade: %d, ConnectionLost: %d)", err, p.made, p.lost)
}

// waitLost waits until p has been told of the end as often as of the beginning.
func (p *recorder) waitLost(ctx context.Context) error {
	for p.lost < p.made {
		if err := asyncio.Yield(ctx); err != nil {
			return err
		}
	}
	if p.made > 1 || p.lost > p.made {
		return p.ended(errors.New("once too often"))
	}
	return nil
}

// When it is cancelled, nothing is open, and the protocol was told of both the beginning and the end, or of neither.
func opensTransport(s *stage, open func(ctx context.Context, p aionet.Protocol) error) {
	p := &recorder{}
	s.do = func(ctx context.Context) error { return open(ctx, p) }
	s.check = func(ctx context.Context, err error) error {
		if err == nil {
			err = p.Close()
		} else {
			err = nil
		}
		return errors.Join(err, p.waitLost(ctx))
	}
}

func handsOver(open func(context.Context, *aionet.Conn, aionet.Protocol) error) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		ours, theirs, err := plain(ctx, s)
		if err != nil {
			return err
		}
		s.nudge = shaking(s, theirs, "")
		opensTransport(s, func(ctx context.Context, p aionet.Protocol) error { return open(ctx, ours.(*aionet.Conn), p) })
		return nil
	}
}

func handsPipeOver(open func(context.Context, *os.File, aionet.Protocol) (aionet.Transport, error), end int) func(context.Context, *stage) error {
	return func(_ context.Context, s *stage) error {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		ends := [...]*os.File{r, w}
		s.cleanup(func() { ends[1-end].Close() })
		opensTransport(s, func(ctx context.Context, p aionet.Protocol) error {
			_, err := open(ctx, ends[end], p)
			return err
		})
		return nil
	}
}

// transport returns one with much to send, and its other end.
func transport(ctx context.Context, s *stage) (*recorder, net.Conn, error) {
	ours, theirs, err := plain(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	p := &recorder{}
	t, err := aionet.NewTransport(ctx, ours.(*aionet.Conn), p)
	if err == nil {
		_, err = t.Write(data(much))
	}
	return p, theirs, err
}

// A cancelled SendFile says how much was sent, and leaves the transport as it is.
func transportSendsFile(ctx context.Context, s *stage) error {
	p, theirs, err := transport(ctx, s)
	if err != nil {
		return err
	}
	f, err := openFile(s)
	if err != nil {
		return err
	}
	peer := &sipper{c: theirs}
	s.nudge = peer.sip
	sent := int64(0)
	s.do = func(ctx context.Context) (err error) {
		sent, err = p.transport.SendFile(ctx, f, 0, much)
		return err
	}
	s.check = func(ctx context.Context, _ error) error {
		s.nudge = nil
		if _, err := p.transport.Write([]byte("the end")); err != nil {
			return fmt.Errorf("writing on: %w", err)
		}
		p.transport.Close()
		err := peer.want(ctx, much, string(data(int(sent)))+"the end")
		return errors.Join(err, p.waitLost(ctx))
	}
	return nil
}

// A cancelled StartTLS ends the transport.
func transportStartsTLS(ctx context.Context, s *stage) error {
	p, theirs, err := transport(ctx, s)
	if err != nil {
		return err
	}
	s.nudge = shaking(s, theirs, string(data(much)))
	s.do = func(ctx context.Context) error {
		return p.transport.StartTLS(ctx, testcert.Server(), aionet.ServerSide)
	}
	s.check = func(ctx context.Context, err error) error {
		if p.transport.IsClosing() != (err != nil) {
			return fmt.Errorf("after StartTLS: %w; it is closing: %v", err, p.transport.IsClosing())
		}
		p.transport.Abort()
		return p.waitLost(ctx)
	}
	return nil
}
