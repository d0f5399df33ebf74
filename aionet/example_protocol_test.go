package aionet_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// mirror sends back what it receives. An idle connection of it costs about 500 bytes.
type mirror struct {
	aionet.BaseProtocol
	t aionet.Transport
}

func (m *mirror) ConnectionMade(t aionet.Transport) { m.t = t }
func (m *mirror) DataReceived(p []byte)             { m.t.Write(p) }

// An echo server in callback style, and a client with a coroutine.
func ExampleServeProtocol() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := asyncio.Go(ctx, func(ctx context.Context) error {
			return aionet.ServeProtocol(ctx, ln, func() aionet.Protocol { return new(mirror) })
		})
		defer server.Cancel()
		c, err := aionet.Dial(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Fprint(c, "hello")
		p := make([]byte, 5)
		n, err := c.Read(p)
		fmt.Printf("%s\n", p[:n])
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

// room is a chat: each line goes to all the others. Callbacks run one at a time, so there are no locks.
type room map[*guest]bool

type guest struct {
	aionet.BaseProtocol
	room room
	t    aionet.Transport
	line []byte // the beginning of one
}

func (g *guest) ConnectionMade(t aionet.Transport) {
	g.t = t
	g.room[g] = true
}

func (g *guest) DataReceived(p []byte) {
	g.line = append(g.line, p...)
	for {
		end := bytes.IndexByte(g.line, '\n')
		if end < 0 {
			return
		}
		for other := range g.room {
			if other != g {
				other.t.Write(g.line[:end+1])
			}
		}
		g.line = g.line[end+1:]
	}
}

// PauseWriting is called when somebody does not read: a chat cannot wait for them.
func (g *guest) PauseWriting()  { g.t.Abort() }
func (g *guest) ResumeWriting() {}

func (g *guest) ConnectionLost(error) { delete(g.room, g) }

// listener is a client that prints the first line it hears.
type listener struct {
	aionet.BaseProtocol
	heard asyncio.Event
}

func (l *listener) DataReceived(p []byte) {
	fmt.Printf("bob hears: %s", p)
	l.heard.Set()
}

// A chat in which lines go to everybody else.
func ExampleDialProtocol_chat() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		chat := room{}
		server := asyncio.Go(ctx, func(ctx context.Context) error {
			return aionet.ServeProtocol(ctx, ln, func() aionet.Protocol { return &guest{room: chat} })
		})
		defer server.Cancel()
		bob := new(listener)
		if _, err := aionet.DialProtocol(ctx, "tcp", ln.Addr().String(), bob); err != nil {
			return err
		}
		alice, err := aionet.DialProtocol(ctx, "tcp", ln.Addr().String(), aionet.BaseProtocol{})
		if err != nil {
			return err
		}
		for len(chat) < 2 {
			if err := asyncio.Yield(ctx); err != nil {
				return err
			}
		}
		fmt.Fprintln(alice, "hello, everybody")
		return bob.heard.Wait(ctx)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: bob hears: hello, everybody
}

// pong answers datagrams.
type pong struct {
	aionet.BaseDatagramProtocol
	t aionet.DatagramTransport
}

func (p *pong) ConnectionMade(t aionet.DatagramTransport) { p.t = t }
func (p *pong) DatagramReceived(data []byte, from net.Addr) {
	p.t.WriteTo(append([]byte("pong to "), data...), from)
}

// A UDP service in callback style.
func ExampleNewDatagramTransport() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		socket, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		t, err := aionet.NewDatagramTransport(ctx, socket, new(pong))
		if err != nil {
			return err
		}
		c, err := aionet.DialPacket(ctx, "udp", t.LocalAddr().String())
		if err != nil {
			return err
		}
		fmt.Fprint(c, "ping")
		p := make([]byte, 100)
		n, err := c.Read(p)
		fmt.Printf("%s\n", p[:n])
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: pong to ping
}
