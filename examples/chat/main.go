// Command chat is a chat server for any line-based TCP client, such as nc or telnet:
//
//	chat -addr localhost:7000 -max 1000
//
// The first line that a client sends is its name; each one after that goes to all others. Who does not read what the
// others say is dropped, so that one slow reader costs nobody else anything. SIGTERM or Ctrl-C says goodbye to all; a
// second one ends the server at once.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

const (
	backlog  = 64   // lines that may wait for a reader before it is dropped
	longest  = 1000 // bytes of a line
	longName = 20
	drain    = 5 * time.Second // for what has been said to be sent
)

func main() {
	addr := flag.String("addr", "localhost:7000", "where to listen")
	most := flag.Int("max", 1000, "how many may be in the room")
	flag.Parse()
	if *most < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error { return serve(ctx, *addr, *most) },
		asyncio.WithInterrupt(false))
	if err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, addr string, most int) error {
	ln, err := aionet.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("listening on", ln.Addr())
	r := &room{members: map[string]*member{}}
	server := aionet.NewServer(ctx, r.visit, aionet.WithMaxConnections(most), aionet.WithDrain(drain))
	if err := server.AddListener(ln); err != nil {
		return err
	}
	if err := onSignal(ctx, server.Close); err != nil {
		return err
	}
	return server.ServeForever(ctx)
}

// onSignal calls stop at the first signal to end; the next one ends the process.
func onSignal(ctx context.Context, stop func()) error {
	loop := asyncio.RunningLoop(ctx)
	handle := func(os.Signal) {
		loop.RemoveSignalHandler(os.Interrupt)
		loop.RemoveSignalHandler(syscall.SIGTERM)
		stop()
	}
	return errors.Join(loop.AddSignalHandler(os.Interrupt, handle), loop.AddSignalHandler(syscall.SIGTERM, handle))
}

// room is the whole state. Its tasks share it without locks: only one of them runs at a time.
type room struct {
	members map[string]*member
}

type member struct {
	name  string
	lines *asyncio.Queue[string] // what it is still to be told
	conn  *aionet.Conn
}

// visit is the life of one connection.
func (r *room) visit(ctx context.Context, c net.Conn) error {
	in := bufio.NewScanner(c)
	in.Buffer(nil, longest)
	m, err := r.enter(ctx, c, in)
	if err != nil {
		return ordinary(err)
	}
	err = asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		g.Go(func(ctx context.Context) error { return m.tell(ctx, c) })
		err := r.listen(ctx, m, in)
		delete(r.members, m.name)
		if errors.Is(err, aionet.ErrServerClosed) {
			m.say("* the server is going down; goodbye")
			err = nil // what there is to tell is still told
		} else {
			r.broadcast(m, fmt.Sprintf("* %s has left", m.name))
		}
		m.lines.Shutdown(false)
		return err
	})
	return ordinary(err)
}

// ordinary hides how connections end from the server's log.
func ordinary(err error) error {
	var broken *net.OpError
	if errors.As(err, &broken) || errors.Is(err, bufio.ErrTooLong) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// enter asks for a name until it is a good one.
func (r *room) enter(ctx context.Context, c net.Conn, in *bufio.Scanner) (*member, error) {
	question := "* your name?\n"
	for {
		if _, err := io.WriteString(c, question); err != nil {
			return nil, err
		}
		name, err := nextLine(ctx, in)
		if err != nil {
			return nil, err
		}
		name = strings.TrimSpace(name)
		switch {
		case name == "" || len(name) > longName || strings.ContainsAny(name, " *:\t"):
			question = fmt.Sprintf("* a name is one word of up to %d letters; yours?\n", longName)
		case r.members[name] != nil:
			question = fmt.Sprintf("* there is a %s already; your name?\n", name)
		default:
			m := &member{name: name, lines: asyncio.NewQueue[string](backlog), conn: c.(*aionet.Conn)}
			r.members[name] = m
			m.say(fmt.Sprintf("* welcome, %s; people here: %d", name, len(r.members)))
			r.broadcast(m, fmt.Sprintf("* %s is here", name))
			return m, nil
		}
	}
}

// listen hands on what the member says.
func (r *room) listen(ctx context.Context, m *member, in *bufio.Scanner) error {
	for {
		line, err := nextLine(ctx, in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		r.broadcast(m, m.name+": "+line)
	}
}

// nextLine waits for the next line. A server that closes ends the wait, but not what has come already.
func nextLine(ctx context.Context, in *bufio.Scanner) (line string, err error) {
	err = aionet.Idle(ctx, func(context.Context) error {
		if in.Scan() {
			line = in.Text()
			return nil
		}
		if in.Err() == nil {
			return io.EOF
		}
		return in.Err()
	})
	return line, err
}

// broadcast never waits: that is what the queues are for.
func (r *room) broadcast(from *member, line string) {
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		if m := r.members[name]; m != from {
			m.say(line)
		}
	}
}

// say drops a member that is too far behind.
func (m *member) say(line string) {
	if m.lines.TryPut(line) != nil {
		m.conn.Abort()
	}
}

// tell sends the member its lines, until there will be no more.
func (m *member) tell(ctx context.Context, c net.Conn) error {
	for line, err := range m.lines.All(ctx) {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(c, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}
