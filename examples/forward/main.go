// Command forward is a TCP port forwarder with limits:
//
//	forward -listen localhost:8080 -to example.com:80 -max 1000 -per-client 20 -idle 5m
//
// The end of one direction is passed on while the other goes on, and so is a reset. At the limit of all connections new
// ones wait in the system's queue; at that of one client they are refused. SIGUSR1 prints statistics. SIGTERM or Ctrl-C
// stops listening and lets connections finish for the time that -drain says; a second one ends the program at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func main() {
	f := &forwarder{clients: map[string]int{}}
	listen := flag.String("listen", "localhost:8080", "where to listen")
	flag.StringVar(&f.to, "to", "", "where to connect to")
	flag.IntVar(&f.most, "max", 1000, "connections at once")
	flag.IntVar(&f.mostOfOne, "per-client", 100, "connections of one client at once")
	flag.DurationVar(&f.idle, "idle", 5*time.Minute, "how long a connection may be silent in both directions")
	flag.DurationVar(&f.drain, "drain", 10*time.Second, "how long connections may go on after SIGTERM")
	flag.Parse()
	if f.to == "" || f.most < 1 || f.mostOfOne < 1 || f.idle <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error { return f.run(ctx, *listen) },
		asyncio.WithInterrupt(false))
	if err != nil {
		fmt.Fprintln(os.Stderr, "forward:", err)
		os.Exit(1)
	}
}

// dialLimit is how long the other side may take to answer.
const dialLimit = 10 * time.Second

// forwarder is the whole program. Its tasks share it without locks: only one of them runs at a time.
type forwarder struct {
	to              string
	most, mostOfOne int
	idle, drain     time.Duration

	clients                          map[string]int // connections by address
	all, refused, unreachable, idled int
	up, down                         int64 // bytes to the other side, and back
}

func (f *forwarder) run(ctx context.Context, listen string) error {
	ln, err := aionet.Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := aionet.NewServer(ctx, f.forward, aionet.WithMaxConnections(f.most), aionet.WithDrain(f.drain))
	if err := server.AddListener(ln); err != nil {
		return err
	}
	loop := asyncio.RunningLoop(ctx)
	stop := func(os.Signal) {
		loop.RemoveSignalHandler(os.Interrupt) // the next one ends the process
		loop.RemoveSignalHandler(syscall.SIGTERM)
		server.Close()
	}
	err = errors.Join(loop.AddSignalHandler(os.Interrupt, stop), loop.AddSignalHandler(syscall.SIGTERM, stop))
	if statistics != nil && err == nil {
		err = loop.AddSignalHandler(statistics, func(os.Signal) { fmt.Fprintln(os.Stderr, f) })
	}
	if err != nil {
		return err
	}
	fmt.Println("listening on", ln.Addr())
	err = server.ServeForever(ctx)
	fmt.Fprintln(os.Stderr, f)
	return err
}

// String is the statistics.
func (f *forwarder) String() string {
	now := 0
	for _, n := range f.clients {
		now += n
	}
	return fmt.Sprintf("connections: %d now, %d in all, %d refused, %d unreachable, %d idle; bytes: %d up, %d down",
		now, f.all, f.refused, f.unreachable, f.idled, f.up, f.down)
}

// forward is the life of one connection.
func (f *forwarder) forward(ctx context.Context, c net.Conn) error {
	client, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return err
	}
	near := c.(*aionet.Conn)
	f.all++
	if f.clients[client] >= f.mostOfOne {
		f.refused++
		return near.Abort()
	}
	f.clients[client]++
	defer func() {
		if f.clients[client]--; f.clients[client] == 0 {
			delete(f.clients, client)
		}
	}()
	far, err := asyncio.WaitFor(ctx, dialLimit, func(ctx context.Context) (*aionet.Conn, error) {
		return aionet.Dial(ctx, "tcp", f.to)
	})
	if err != nil {
		f.unreachable++
		fmt.Fprintln(os.Stderr, "forward:", err)
		return near.Abort()
	}
	defer far.Close()
	if err := f.relay(ctx, near, far); err != nil {
		far.Abort() // either side learns that it was no ordinary end
		near.Abort()
	}
	return nil
}

// relay copies both ways until both have ended, or neither has moved for too long.
func (f *forwarder) relay(ctx context.Context, near, far *aionet.Conn) error {
	loop := asyncio.RunningLoop(ctx)
	var quiet *asyncio.Deadline
	err := asyncio.TimeoutScope(ctx, f.idle, func(ctx context.Context, d *asyncio.Deadline) error {
		quiet = d
		moved := func() { _ = d.Reschedule(loop.Time() + f.idle) } // fails if it is too late
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			g.Go(func(context.Context) error { return pass(near, far, &f.up, moved) })
			g.Go(func(context.Context) error { return pass(far, near, &f.down, moved) })
			return nil
		})
	})
	if quiet.Expired() {
		f.idled++
	}
	return err
}

// pass copies one way, and passes the end on.
func pass(from, to *aionet.Conn, bytes *int64, moved func()) error {
	// WriteTo holds a buffer only while there is something in it, so silent connections cost little.
	if _, err := from.WriteTo(meter{to, bytes, moved}); err != nil {
		return err
	}
	return to.CloseWrite()
}

// meter counts what is written.
type meter struct {
	*aionet.Conn
	bytes *int64
	moved func()
}

func (m meter) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	*m.bytes += int64(n)
	m.moved()
	return n, err
}
