//go:build linux

package aionet_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

const (
	// What may be left in a process when all connections have gone.
	soakHeap        = 1 << 20 // bytes
	soakHeapPerConn = 100     // bytes for each connection that was open at once
	soakHeapPerMore = 1500    // and for each by which there were more than ever before: Go keeps a record of 450 bytes of
	// every goroutine for the next one, coroutines included, and queues and tables do not shrink
	soakGoroutines = 64 // idle coroutines that a loop keeps, besides one for each of its tasks
)

// Connections to servers of coroutines and of protocols come, go, stall and reset, with TLS and without. When they have
// gone, so have their memory, descriptors and coroutines. The servers have a process of their own, and so a limit of
// descriptors. ASYNCIO_SOAK=1m is the real one, with 10,000 connections at a time (or as many as
// ASYNCIO_SOAK_CONNECTIONS says).
func TestSoak_connectionsComeAndGo_nothingIsLeft(t *testing.T) {
	during, connections := time.Second, 200
	if v := os.Getenv("ASYNCIO_SOAK"); v != "" {
		d, err := time.ParseDuration(v)
		must(t, err)
		during, connections = d, 10_000
	}
	if v := os.Getenv("ASYNCIO_SOAK_CONNECTIONS"); v != "" {
		n, err := strconv.Atoi(v)
		must(t, err)
		connections = n
	}
	affordable(t, connections)
	servers := startSoakServers(t)
	s := &soakCallers{t: t, loop: background(t), to: servers.addresses}

	s.run(connections, during/4) // what is made once is made now
	theirs, ours := servers.settled(t), s.settled()
	s.run(connections, during)
	theirsAfter, oursAfter := servers.settled(t), s.settled()

	t.Logf("%v: %d connections, %d at once, %d requests; %d ended early; servers: before %v, after %v; callers: before %v, after %v",
		during, s.opened, oursAfter.Peak, s.answered, s.broken, theirs, theirsAfter, ours, oursAfter)
	theirsAfter.compare(t, "servers", theirs)
	oursAfter.compare(t, "callers", ours)
	servers.end(t)
}

// affordable lets this process and its children have descriptors for so many connections.
func affordable(t *testing.T, connections int) {
	var before syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) })
	// A client's end closes first, and its next connection may be there before the server's has gone.
	wanted := uint64(connections)*5/4 + 200
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: wanted, Max: max(wanted, before.Max)}); err != nil {
		t.Fatalf("%d connections need %d descriptors: %v", connections, wanted, err)
	}
}

// soakServers are what runs in the other process.
type soakServers struct {
	loop   *asyncio.Loop
	live   int
	peak   int
	failed error
}

// soakAddresses are where to find it: several, for a port each may not suffice.
type soakAddresses struct {
	Control       string
	Plain, Secret []string
}

// soakServersMain tells its addresses, and on its control connection what the process holds, for each byte, until that is
// closed.
func soakServersMain(ctx context.Context) error {
	s := &soakServers{loop: asyncio.RunningLoop(ctx)}
	s.loop.SetExceptionHandler(func(i asyncio.ExceptionInfo) {
		// A TLS connection that ends before its handshake is reported, or begins with something else.
		if _, ok := errors.AsType[tls.RecordHeaderError](i.Err); !ok {
			s.check(fmt.Errorf("%s: %w", i.Message, i.Err))
		}
	})
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addresses := soakAddresses{Control: ln.Addr().String()}
	for i := range 8 {
		host := fmt.Sprintf("127.0.0.%d:0", i+1)
		plain, err := aionet.Listen(ctx, "tcp", host)
		if err != nil {
			return err
		}
		secret, err := aionet.ListenTLS(ctx, "tcp", host, serverConfig())
		if err != nil {
			return err
		}
		serve := s.serveCoroutines
		if i%2 == 1 {
			serve = s.serveProtocols
		}
		asyncio.Go(ctx, func(ctx context.Context) error { return serve(ctx, plain) })
		asyncio.Go(ctx, func(ctx context.Context) error { return serve(ctx, secret) })
		addresses.Plain = append(addresses.Plain, plain.Addr().String())
		addresses.Secret = append(addresses.Secret, secret.Addr().String())
	}
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		return err
	}
	control, err := ln.Accept()
	if err != nil {
		return err
	}
	for answers := json.NewEncoder(control); ; {
		if _, err := io.ReadFull(control, make([]byte, 1)); err != nil {
			return s.failed
		}
		for s.live > 0 {
			if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		u, err := settledUsage(ctx)
		if err != nil {
			return err
		}
		u.Peak = s.peak
		if err := answers.Encode(u); err != nil {
			return err
		}
	}
}

func (s *soakServers) come() {
	s.live++
	s.peak = max(s.peak, s.live)
}

// check keeps an error that should not be.
func (s *soakServers) check(err error) {
	if !documented(err) {
		s.failed = errors.Join(s.failed, err)
	}
}

// serveCoroutines answers each request, a number, with as many bytes.
func (s *soakServers) serveCoroutines(ctx context.Context, ln *aionet.Listener) error {
	return aionet.Serve(ctx, ln, func(ctx context.Context, c net.Conn) error {
		s.come()
		defer func() { s.live-- }()
		for {
			var head [4]byte
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return ignore(err)
			}
			if _, err := c.Write(soakAnswer(head[:])); err != nil {
				return ignore(err)
			}
		}
	})
}

func soakAnswer(head []byte) []byte {
	answer := make([]byte, binary.BigEndian.Uint32(head))
	for i := range answer {
		answer[i] = pattern(0, i)
	}
	return answer
}

func ignore(err error) error {
	if documented(err) {
		return nil
	}
	return err
}

// serveProtocols is serveCoroutines without any.
func (s *soakServers) serveProtocols(ctx context.Context, ln *aionet.Listener) error {
	return aionet.ServeProtocol(ctx, ln, func() aionet.Protocol { return &soakProtocol{servers: s} })
}

type soakProtocol struct {
	servers *soakServers
	t       aionet.Transport
	asked   []byte
}

func (p *soakProtocol) ConnectionMade(t aionet.Transport) {
	p.t = t
	p.servers.come()
}

func (p *soakProtocol) DataReceived(b []byte) {
	p.asked = append(p.asked, b...)
	for ; len(p.asked) >= 4; p.asked = p.asked[4:] {
		_, _ = p.t.Write(soakAnswer(p.asked)) // its error comes to ConnectionLost
	}
}

func (p *soakProtocol) EOFReceived() bool { return false }
func (p *soakProtocol) PauseWriting()     { p.t.PauseReading() }
func (p *soakProtocol) ResumeWriting()    { p.t.ResumeReading() }

func (p *soakProtocol) ConnectionLost(err error) {
	p.servers.live--
	p.servers.check(err)
}

// soakChild is the process of the servers.
type soakChild struct {
	cmd       *exec.Cmd
	out       io.Reader
	addresses soakAddresses
	control   net.Conn
	answers   *json.Decoder
}

func startSoakServers(t *testing.T) *soakChild {
	cmd, line, out := childServer(t, "soaked")
	s := &soakChild{cmd: cmd, out: out}
	if err := json.Unmarshal([]byte(line), &s.addresses); err != nil {
		t.Fatalf("the servers say %q: %v", line, err)
	}
	var err error
	s.control, err = net.Dial("tcp", s.addresses.Control)
	must(t, err)
	t.Cleanup(func() { s.control.Close() })
	s.answers = json.NewDecoder(s.control)
	return s
}

// settled is what the process holds when all connections have ended.
func (s *soakChild) settled(t *testing.T) (u usage) {
	t.Helper()
	must(t, s.control.SetReadDeadline(time.Now().Add(30*time.Second)))
	_, err := s.control.Write([]byte{0})
	must(t, err)
	if err := s.answers.Decode(&u); err != nil {
		t.Fatalf("the servers still serve, or have failed: %v", err)
	}
	return u
}

// end ends the process, which tells of what went wrong.
func (s *soakChild) end(t *testing.T) {
	t.Helper()
	s.control.Close()
	said, _ := io.ReadAll(s.out)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the servers ended with %v: %s", err, said)
	}
}

// soakCallers are this process's end of the connections. The counts are the loop's.
type soakCallers struct {
	t                        *testing.T
	loop                     *asyncio.Loop
	to                       soakAddresses
	live, peak               int
	opened, answered, broken int
}

// run lets the connections come, keeps so many open for so long, and returns when the last one has ended.
func (s *soakCallers) run(connections int, during time.Duration) {
	_, err := on(s.loop, func(ctx context.Context) (asyncio.None, error) {
		until := s.loop.Time() + during/4 + during
		return asyncio.None{}, asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range connections {
				g.Go(func(ctx context.Context) error {
					r := rand.New(rand.NewPCG(uint64(i), uint64(during)))
					if err := asyncio.Sleep(ctx, time.Duration(r.Int64N(int64(during/4)))); err != nil {
						return err
					}
					for s.loop.Time() < until {
						if err := s.call(ctx, r, during/6); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	})
	must(s.t, err)
}

// call is one connection, which may stall for so long. An error is one that should not be.
func (s *soakCallers) call(ctx context.Context, r *rand.Rand, stall time.Duration) error {
	address, secret := s.to.Plain[r.IntN(len(s.to.Plain))], r.IntN(5) == 0
	if secret {
		address = s.to.Secret[r.IntN(len(s.to.Secret))]
	}
	raw, err := aionet.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	s.opened++
	s.live++
	s.peak = max(s.peak, s.live)
	defer func() { s.live-- }()
	var c net.Conn = raw
	if secret && r.IntN(8) > 0 { // else it speaks to a TLS port as if that were none
		c = aionet.TLSClient(raw, &tls.Config{InsecureSkipVerify: true}) // the certificate is the other process's own
	}
	defer c.Close()
	err = asyncio.Timeout(ctx, 2*stall, func(ctx context.Context) error {
		for range 1 + r.IntN(5) {
			if err := s.ask(ctx, c, r, stall); err != nil {
				return err
			}
		}
		return nil
	})
	if r.IntN(4) == 0 {
		resetOnClose(raw)
	}
	if err == nil || errors.Is(err, errLeaving) || secret && c == net.Conn(raw) {
		return nil
	}
	s.broken++
	return ignore(err) // under load not all finish in time, on this side or the other
}

var errLeaving = errors.New("it leaves in the middle")

// ask makes one request, or breaks off somewhere.
func (s *soakCallers) ask(ctx context.Context, c net.Conn, r *rand.Rand, stall time.Duration) error {
	size := r.IntN(1 << (4 + r.IntN(16)))
	head := binary.BigEndian.AppendUint32(nil, uint32(size))
	leave := r.IntN(10)
	if leave == 0 {
		_, _ = c.Write(head[:r.IntN(4)])
		return errLeaving
	}
	if _, err := c.Write(head); err != nil {
		return err
	}
	if r.IntN(2) == 0 {
		if err := asyncio.Sleep(ctx, time.Duration(r.Int64N(int64(stall)))); err != nil {
			return err
		}
	}
	if leave == 1 {
		size /= 2
	}
	got := make([]byte, size)
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	for i, b := range got {
		if b != pattern(0, i) {
			return fmt.Errorf("byte %d of %d is wrong", i, size)
		}
	}
	if leave == 1 {
		return errLeaving
	}
	s.answered++
	return nil
}

func resetOnClose(c *aionet.Conn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return // it has been closed, by the TLS around it
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	})
}

func (s *soakCallers) settled() usage {
	s.t.Helper()
	u, err := on(s.loop, settledUsage)
	must(s.t, err)
	u.Peak = s.peak
	return u
}

// usage is what a process holds.
type usage struct {
	Heap                           uint64
	Descriptors, Goroutines, Tasks int
	Peak                           int // connections at once, so far
}

func (u usage) String() string {
	return fmt.Sprintf("%d KiB live heap, %d descriptors, %d goroutines, %d tasks", u.Heap>>10, u.Descriptors, u.Goroutines, u.Tasks)
}

// compare wants nothing to be left that was not there before.
func (u usage) compare(t *testing.T, who string, before usage) {
	t.Helper()
	if allowed := soakHeap + soakHeapPerConn*u.Peak + soakHeapPerMore*(u.Peak-before.Peak); u.Heap > before.Heap+uint64(allowed) {
		t.Errorf("the %s' heap has grown from %d to %d bytes; %d more are allowed", who, before.Heap, u.Heap, allowed)
	}
	if u.Descriptors != before.Descriptors || u.Tasks != before.Tasks {
		t.Errorf("the %s: before %v, after %v", who, before, u)
	}
	if u.Goroutines > before.Goroutines+soakGoroutines+u.Tasks {
		t.Errorf("the %s have %d goroutines, before %d", who, u.Goroutines, before.Goroutines)
	}
}

// settledUsage lets the loop fall asleep often enough that it gives back what it does not need.
func settledUsage(ctx context.Context) (usage, error) {
	for range 200 {
		if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
			return usage{}, err
		}
	}
	runtime.GC()
	runtime.GC() // what the first one has put from the pools into their second place
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, err := os.ReadDir("/dev/fd")
	return usage{
		Heap:        m.HeapAlloc,
		Descriptors: len(open),
		Goroutines:  runtime.NumGoroutine(),
		Tasks:       len(asyncio.AllTasks(asyncio.RunningLoop(ctx))),
	}, err
}
