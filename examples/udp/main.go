// Udp is a small service over UDP: a store of words that forgets.
//
// # What it shows
//
//   - One socket and one coroutine serve any number of clients; nothing needs a lock, since nothing else runs on the
//     loop between two waits.
//   - Each entry has a timer of the loop's, which costs no goroutine and no coroutine.
//   - A second coroutine prints statistics now and then.
//   - SIGTERM or Ctrl-C lets it answer what has been asked, and prints the last numbers; a second one ends it at once.
//   - What cannot be answered (a datagram that is too large, an address that is gone) is counted and does not end
//     the service. That is how UDP wants it: who gets no answer asks again.
//
// # Run it
//
//	go run ./examples/udp -listen 127.0.0.1:5300 -ttl 1m
//
// Each datagram is a question of one line, and each answer is one:
//
//	set NAME VALUE   ok             the value may have spaces in it
//	get NAME         value VALUE    or: none
//	del NAME         ok             or: none
//	time             time NOW       in RFC 3339
//	stats            stats N asked, N entries, N errors
//
// for example:
//
//	echo get colour | socat - UDP:127.0.0.1:5300
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

const (
	largest = 1200                   // bytes of a question; it fits into one packet of any network
	linger  = 100 * time.Millisecond // for questions that are on their way at the end
)

func main() {
	listen := flag.String("listen", "127.0.0.1:5300", "address to serve")
	ttl := flag.Duration("ttl", time.Minute, "how long an entry is kept")
	every := flag.Duration("stats", 10*time.Second, "how often to print statistics")
	flag.Parse()
	if *ttl <= 0 || *every <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return serve(ctx, *listen, *ttl, *every, os.Stdout)
	}, asyncio.WithInterrupt(false))
	if err != nil {
		log.Fatal(err)
	}
}

// serve answers until ctx ends or a signal says so. It prints its address first, then statistics.
func serve(ctx context.Context, listen string, ttl, every time.Duration, out io.Writer) error {
	c, err := aionet.ListenPacket(ctx, "udp", listen)
	if err != nil {
		return err
	}
	defer c.Close()
	loop := asyncio.RunningLoop(ctx)
	stop := func(os.Signal) {
		loop.RemoveSignalHandler(os.Interrupt) // the next one ends the process
		loop.RemoveSignalHandler(syscall.SIGTERM)
		_ = c.SetReadDeadline(loop.Now().Add(linger)) // fails if the socket is closed
	}
	if err := errors.Join(loop.AddSignalHandler(os.Interrupt, stop), loop.AddSignalHandler(syscall.SIGTERM, stop)); err != nil {
		return err
	}
	s := &store{loop: loop, ttl: ttl, entries: make(map[string]*entry)}
	fmt.Fprintln(out, "serving", c.LocalAddr())
	defer func() { fmt.Fprintln(out, s.stats()) }()
	return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
		reporting := g.Go(func(ctx context.Context) error { return s.report(ctx, every, out) })
		defer reporting.Cancel()
		return s.answerAll(ctx, c)
	})
}

type store struct {
	loop                  *asyncio.Loop
	ttl                   time.Duration
	entries               map[string]*entry
	asked, failed, before int
}

type entry struct {
	value string
	timer *asyncio.Timer
}

// answerAll ends with ctx, at the deadline, or if the socket breaks.
func (s *store) answerAll(ctx context.Context, c *aionet.PacketConn) error {
	buf := make([]byte, largest+1) // one more, to see what is too large
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		s.asked++
		if err != nil || n > largest {
			s.failed++
			continue
		}
		s.send(c, from, s.answer(strings.TrimRight(string(buf[:n]), "\r\n")))
	}
}

func (s *store) send(c *aionet.PacketConn, to netip.AddrPort, answer string) {
	if _, err := c.WriteToUDPAddrPort([]byte(answer+"\n"), to); err != nil {
		s.failed++
	}
}

func (s *store) answer(question string) string {
	verb, rest, _ := strings.Cut(question, " ")
	name, value, _ := strings.Cut(rest, " ")
	switch {
	case verb == "time":
		return "time " + s.loop.Now().Format(time.RFC3339)
	case verb == "stats":
		return s.stats()
	case name == "":
	case verb == "set":
		s.set(name, value)
		return "ok"
	case verb == "get":
		if e := s.entries[name]; e != nil {
			return "value " + e.value
		}
		return "none"
	case verb == "del":
		if s.forget(name) {
			return "ok"
		}
		return "none"
	}
	s.failed++
	return "error: set NAME VALUE, get NAME, del NAME, time or stats"
}

func (s *store) set(name, value string) {
	s.forget(name)
	s.entries[name] = &entry{value: value, timer: s.loop.CallLater(s.ttl, func() { s.forget(name) })}
}

func (s *store) forget(name string) bool {
	e := s.entries[name]
	if e == nil {
		return false
	}
	e.timer.Stop()
	delete(s.entries, name)
	return true
}

// report prints statistics when there is something new.
func (s *store) report(ctx context.Context, every time.Duration, out io.Writer) error {
	for {
		if err := asyncio.Sleep(ctx, every); err != nil {
			return err
		}
		if s.asked != s.before {
			s.before = s.asked
			fmt.Fprintln(out, s.stats())
		}
	}
}

func (s *store) stats() string {
	return fmt.Sprintf("stats %d asked, %d entries, %d errors", s.asked, len(s.entries), s.failed)
}
