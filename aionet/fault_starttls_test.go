//go:build unix

package aionet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// What is promised of StartTLS in the middle, besides: an end that has TLS while the other could not get it learns that,
// and has read nothing; plain text that somebody slips in is never taken for encrypted.
func TestFaults_startTLS(t *testing.T) {
	for _, network := range networks {
		for name, e := range map[string]end{
			"aionet.StartTLS": upgradedConns{}, "Writer.StartTLS": upgradedStreams{}, "Transport.StartTLS": upgradedProtocols{},
		} {
			underFaults(t, network+" "+name, func(seed uint64) error {
				v := newConversation(seed, network, e, e)
				v.tls = true
				_, transports := e.(upgradedProtocols) // whose protocol was given the plain text, as such
				v.slipIn = seed%4 == 0 && !transports
				v.clean = v.clean && !v.slipIn
				return v.hold()
			})
		}
	}
}

const (
	please  = "start TLS, please\n"
	goAhead = "go ahead\n"
	slipped = "and this is plain\n"
)

// ask is what the client says before TLS.
func (v *conversation) ask() string {
	if v.slipIn {
		return please + slipped
	}
	return please
}

// refused notes why an end has no TLS.
func (k *talker) refused(v *conversation, err error) {
	if v.slipIn || v.excused(err) {
		return
	}
	k.fault("TLS was not started: %w", err)
}

// serveUpgraded serves plain connections, of which serve makes TLS.
func (v *conversation) serveUpgraded(ctx context.Context, k *talker,
	serve func(ctx context.Context, c net.Conn) error) (net.Addr, func() error, error) {
	ln, err := aionet.Listen(ctx, v.network, v.address())
	if err != nil {
		return nil, nil, err
	}
	return untilClosed(ctx, ln, func(ctx context.Context) error {
		return aionet.Serve(ctx, ln, func(ctx context.Context, c net.Conn) error {
			if err := serve(ctx, c); err != nil {
				k.refused(v, err)
			}
			return nil
		}, aionet.WithDrain(v.limit))
	})
}

// upgradedConns are ends that make TLS of a connection.
type upgradedConns struct{}

func (upgradedConns) serve(ctx context.Context, v *conversation, k *talker) (net.Addr, func() error, error) {
	return v.serveUpgraded(ctx, k, func(ctx context.Context, c net.Conn) error {
		var secure *aionet.TLSConn
		err := v.within(ctx, func(ctx context.Context) (err error) {
			if _, err := io.ReadFull(c, make([]byte, len(please))); err != nil {
				return err
			}
			if _, err := io.WriteString(c, goAhead); err != nil {
				return err
			}
			secure, err = aionet.StartTLS(ctx, c, serverConfig(), aionet.ServerSide)
			return err
		})
		if err == nil {
			defer secure.Close()
			k.talk(ctx, secure, v.limit)
		}
		return err
	})
}

func (upgradedConns) call(ctx context.Context, v *conversation, k *talker, address string) error {
	var secure *aionet.TLSConn
	err := v.within(ctx, func(ctx context.Context) error {
		c, err := aionet.Dial(ctx, v.network, address)
		if err != nil {
			return err
		}
		defer func() {
			if secure == nil {
				c.Close()
			}
		}()
		if _, err := io.WriteString(c, v.ask()); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, make([]byte, len(goAhead))); err != nil {
			return err
		}
		secure, err = aionet.StartTLS(ctx, c, clientConfig(), aionet.ClientSide)
		return err
	})
	if err != nil {
		k.refused(v, err)
		return nil
	}
	k.talk(ctx, secure, v.limit)
	return secure.Close()
}

// upgradedStreams are ends that make TLS of a Reader and a Writer.
type upgradedStreams struct{}

func (upgradedStreams) serve(ctx context.Context, v *conversation, k *talker) (net.Addr, func() error, error) {
	return v.serveUpgraded(ctx, k, func(ctx context.Context, c net.Conn) error {
		options := k.streamOptions()
		r, w := aionet.NewReader(c, options...), aionet.NewWriter(ctx, c, options...)
		defer w.Close()
		err := v.within(ctx, func(ctx context.Context) error {
			if _, err := r.ReadExactly(len(please)); err != nil {
				return err
			}
			w.WriteString(goAhead)
			return w.StartTLS(ctx, r, serverConfig(), aionet.ServerSide)
		})
		if err == nil {
			k.talkInStream(ctx, v, r, w)
		}
		return err
	})
}

func (upgradedStreams) call(ctx context.Context, v *conversation, k *talker, address string) error {
	var r *aionet.Reader
	var w *aionet.Writer
	err := v.within(ctx, func(ctx context.Context) (err error) {
		if r, w, err = aionet.OpenConnection(ctx, v.network, address, k.streamOptions()...); err != nil {
			return err
		}
		w.WriteString(v.ask())
		if _, err := r.ReadExactly(len(goAhead)); err != nil {
			return err
		}
		return w.StartTLS(ctx, r, clientConfig(), aionet.ClientSide)
	})
	if err == nil {
		k.talkInStream(ctx, v, r, w)
		return nil
	}
	if k.refused(v, err); w == nil {
		return nil
	}
	w.Close()
	if err := v.within(ctx, w.WaitClosed); isTimeout(err) {
		return fmt.Errorf("after a failed StartTLS: %w", err)
	}
	return nil
}

// upgradedProtocols are ends that make TLS of a transport.
type upgradedProtocols struct{}

func (upgradedProtocols) serve(ctx context.Context, v *conversation, k *talker) (net.Addr, func() error, error) {
	ln, err := aionet.Listen(ctx, v.network, v.address())
	if err != nil {
		return nil, nil, err
	}
	own := asyncio.RunningLoop(ctx).Context()
	return untilClosed(ctx, ln, func(ctx context.Context) error {
		return aionet.ServeProtocol(ctx, ln, func() aionet.Protocol {
			return &plainSpeaker{expects: []byte(please), then: func(p *plainSpeaker) {
				asyncio.Go(own, func(ctx context.Context) error {
					p.t.Write([]byte(goAhead))
					p.upgrade(ctx, v, k, aionet.ServerSide)
					return nil
				})
			}}
		}, aionet.WithDrain(v.limit))
	})
}

func (upgradedProtocols) call(ctx context.Context, v *conversation, k *talker, address string) error {
	p := &plainSpeaker{expects: []byte(goAhead)}
	p.then = func(*plainSpeaker) { p.answered = true; p.changed.WakeAll() }
	err := v.within(ctx, func(ctx context.Context) error {
		if _, err := aionet.DialProtocol(ctx, v.network, address, p); err != nil {
			return err
		}
		p.t.Write([]byte(v.ask()))
		for !p.answered && !p.lost {
			if err := p.changed.WaitOutside(ctx, never2{}); err != nil {
				p.t.Abort()
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		k.refused(v, err)
	case p.answered:
		if s := p.upgrade(ctx, v, k, aionet.ClientSide); s != nil {
			return s.waitLost(ctx)
		}
	default:
		k.refused(v, errors.Join(io.ErrUnexpectedEOF, p.err))
	}
	return nil
}

// plainSpeaker is the protocol before TLS.
type plainSpeaker struct {
	aionet.BaseProtocol
	t              aionet.Transport
	got, expects   []byte
	then           func(p *plainSpeaker)
	answered, lost bool
	err            error
	changed        lowlevel.WaitQueue
}

func (p *plainSpeaker) ConnectionMade(t aionet.Transport) { p.t = t }

func (p *plainSpeaker) DataReceived(data []byte) {
	if p.got = append(p.got, data...); bytes.Equal(p.got, p.expects) {
		p.t.PauseReading()
		p.then(p)
	}
}

func (p *plainSpeaker) ConnectionLost(err error) {
	p.err, p.lost = err, true
	p.changed.WakeAll()
}

// upgrade lets a speaker go on over TLS; nil if it cannot.
func (p *plainSpeaker) upgrade(ctx context.Context, v *conversation, k *talker, side aionet.TLSSide) *speaker {
	config := clientConfig()
	if side == aionet.ServerSide {
		config = serverConfig()
	}
	if err := p.t.StartTLS(ctx, config, side, aionet.WithHandshakeTimeout(v.limit)); err != nil {
		k.refused(v, err)
		return nil
	}
	s := protocols{}.of(ctx, k, v.limit)().(*speaker)
	p.t.SetProtocol(s)
	s.ConnectionMade(p.t)
	p.t.ResumeReading()
	return s
}
