//go:build linux

package aionet_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

const (
	// What may be left when all connections have gone.
	soakHeap        = 1 << 20 // bytes
	soakHeapPerConn = 100     // bytes for each connection that was open at once
	soakHeapPerMore = 1500    // and for each by which there were more than ever before: Go keeps a record of 450 bytes of
	// every goroutine for the next one, coroutines included, and queues and tables do not shrink
	soakGoroutines = 2 * 64 // idle coroutines that the two loops keep
)

// A server's connections come, go, stall and reset, with TLS and without. When they have gone, so have their memory,
// descriptors and coroutines. ASYNCIO_SOAK=1m is the real one, with 10,000 connections at a time (or as many as
// ASYNCIO_SOAK_CONNECTIONS says).
func TestSoak_connectionsComeAndGo_nothingIsLeft(t *testing.T) {
	s := &soak{t: t, during: 2 * time.Second, connections: 200}
	if v := os.Getenv("ASYNCIO_SOAK"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			t.Fatal(err)
		}
		s.during, s.connections = d, 10_000
	}
	if v := os.Getenv("ASYNCIO_SOAK_CONNECTIONS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		s.connections = n
	}
	s.connections = min(s.connections, affordable(t, s.connections))
	s.servers = background(t)
	s.callers = background(t)
	s.listen()

	s.run(s.connections, s.during/4) // what is made once is made now
	before, grown := s.settled(), s.peak.Load()
	s.run(s.connections, s.during)
	after, peak := s.settled(), s.peak.Load()

	t.Logf("%v: %d connections, %d at once, %d requests; %d ended early; before %v, after %v",
		s.during, s.opened.Load(), peak, s.answered.Load(), s.broken.Load(), before, after)
	allowed := uint64(soakHeap + soakHeapPerConn*peak + soakHeapPerMore*(peak-grown))
	if after.heap > before.heap+allowed {
		t.Errorf("the heap has grown from %d to %d bytes; %d more are allowed", before.heap, after.heap, allowed)
	}
	if after.descriptors != before.descriptors || after.tasks != before.tasks {
		t.Errorf("before %v, after %v", before, after)
	}
	if after.goroutines > before.goroutines+soakGoroutines {
		t.Errorf("%d goroutines, before %d", after.goroutines, before.goroutines)
	}
}

// affordable lets the process have descriptors for so many connections, with both ends in it, and returns for how many
// it got them.
func affordable(t *testing.T, connections int) int {
	const each, others = 2.25, 200 // a client's end closes first, and its next connection may be there before the server's
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) })
	wanted := uint64(each*float64(connections)) + others
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: wanted, Max: max(wanted, before.Max)}) == nil {
		return connections
	}
	most := syscall.Rlimit{Cur: before.Max, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &most); err != nil {
		t.Fatal(err)
	}
	return int(float64(before.Max-others) / each)
}

type soak struct {
	t                *testing.T
	during           time.Duration
	connections      int
	servers, callers *asyncio.Loop
	plain, secret    []string // addresses: several, for a port each may not suffice
	live, peak       atomic.Int64
	opened, answered atomic.Int64
	broken           atomic.Int64 // ended early
}

func (s *soak) listen() {
	_, err := on(s.servers, func(ctx context.Context) (struct{}, error) {
		for i := range 8 {
			plain, err := aionet.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.%d:0", i+1))
			if err != nil {
				return struct{}{}, err
			}
			secret, err := aionet.ListenTLS(ctx, "tcp", fmt.Sprintf("127.0.0.%d:0", i+1), serverConfig())
			if err != nil {
				return struct{}{}, err
			}
			s.plain = append(s.plain, plain.Addr().String())
			s.secret = append(s.secret, secret.Addr().String())
			asyncio.Go(s.servers.Context(), func(ctx context.Context) error { return aionet.Serve(ctx, plain, s.serve) })
			asyncio.Go(s.servers.Context(), func(ctx context.Context) error { return aionet.Serve(ctx, secret, s.serve) })
		}
		s.servers.SetExceptionHandler(func(i asyncio.ExceptionInfo) {
			// A TLS connection that ends before its handshake is reported, or begins with something else.
			if _, ok := errors.AsType[tls.RecordHeaderError](i.Err); !ok && !documented(i.Err) {
				s.t.Errorf("%s: %v", i.Message, i.Err)
			}
		})
		return struct{}{}, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// serve answers each request, a number, with as many bytes.
func (s *soak) serve(ctx context.Context, c net.Conn) error {
	if n := s.live.Add(1); n > s.peak.Load() {
		s.peak.Store(n)
	}
	defer s.live.Add(-1)
	for {
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return ignore(err)
		}
		answer := make([]byte, binary.BigEndian.Uint32(head[:]))
		for i := range answer {
			answer[i] = pattern(0, i)
		}
		if _, err := c.Write(answer); err != nil {
			return ignore(err)
		}
	}
}

func ignore(err error) error {
	if documented(err) {
		return nil
	}
	return err
}

// run keeps so many connections open for so long, and returns when the last one has ended.
func (s *soak) run(connections int, during time.Duration) {
	_, err := on(s.callers, func(ctx context.Context) (struct{}, error) {
		until := s.callers.Time() + during
		err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range connections {
				g.Go(func(ctx context.Context) error {
					r := rand.New(rand.NewPCG(uint64(i), uint64(during)))
					if err := asyncio.Sleep(ctx, time.Duration(r.Int64N(int64(during/4)))); err != nil {
						return err
					}
					for s.callers.Time() < until {
						if err := s.call(ctx, r, during/6); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
		return struct{}{}, err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// call is one connection, which may stall for so long. An error is one that should not be.
func (s *soak) call(ctx context.Context, r *rand.Rand, stall time.Duration) error {
	address, secret := s.plain[r.IntN(len(s.plain))], r.IntN(5) == 0
	if secret {
		address = s.secret[r.IntN(len(s.secret))]
	}
	raw, err := aionet.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	s.opened.Add(1)
	var c net.Conn = raw
	if secret && r.IntN(8) > 0 { // else it speaks to a TLS port as if that were none
		c = aionet.TLSClient(raw, clientConfig())
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
	s.broken.Add(1)
	return ignore(err) // under load not all finish in time, on this side or the other
}

var errLeaving = errors.New("it leaves in the middle")

// ask makes one request, or breaks off somewhere.
func (s *soak) ask(ctx context.Context, c net.Conn, r *rand.Rand, stall time.Duration) error {
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
	s.answered.Add(1)
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

// usage is what the process holds.
type usage struct {
	heap                           uint64
	descriptors, goroutines, tasks int
}

func (u usage) String() string {
	return fmt.Sprintf("%d KiB live heap, %d descriptors, %d goroutines, %d tasks", u.heap>>10, u.descriptors, u.goroutines, u.tasks)
}

// settled lets the server see that its connections have ended, and the loops give back what they do not need.
func (s *soak) settled() usage {
	for deadline := time.Now().Add(30 * time.Second); s.live.Load() > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d connections are still served", s.live.Load())
		}
		fallAsleep(s.servers, 10)
	}
	fallAsleep(s.servers, 200)
	fallAsleep(s.callers, 200)
	runtime.GC()
	runtime.GC() // what the first one has put from the pools into their second place
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{m.HeapAlloc, descriptors(s.t), runtime.NumGoroutine(),
		len(asyncio.AllTasks(s.servers)) + len(asyncio.AllTasks(s.callers))}
}

// fallAsleep lets l fall asleep so many times.
func fallAsleep(l *asyncio.Loop, n int) {
	_, _ = on(l, func(ctx context.Context) (struct{}, error) {
		for range n {
			if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
}
