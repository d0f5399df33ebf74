package aionet_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// idleConnections is how many TestProtocol_idle_costsLessThan600Bytes wants; it takes what the limit of open files allows.
const idleConnections = 20_000

// TestProtocol_idlePeers is no test but the other end of the next one, in a process of its own: a process may not have
// enough descriptors for both.
func TestProtocol_idlePeers(t *testing.T) {
	addr := os.Getenv("AIONET_IDLE_PEERS")
	if addr == "" {
		return
	}
	var n int
	fmt.Sscan(os.Getenv("AIONET_IDLE_COUNT"), &n)
	for i := range n {
		// Each 10,000 come from an address of their own, so that ports do not run out.
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(os.Getpid()), byte(1+i/10_000))}}
		c, err := d.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	bufio.NewReader(os.Stdin).ReadString('\n') // until the test has measured
}

func TestProtocol_idle_costsLessThan600Bytes(t *testing.T) {
	n := min(idleConnections, openFiles()-300)
	run(t, func(ctx context.Context) error {
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "portable" {
			return nil // it has a goroutine and a buffer for each connection
		}
		ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
		must(t, err)
		open := 0
		var all asyncio.Event
		server := asyncio.Go(ctx, func(ctx context.Context) error {
			return aionet.ServeProtocol(ctx, ln, func() aionet.Protocol {
				if open++; open == n {
					all.Set()
				}
				return new(echoProtocol)
			})
		})
		before := liveBytes()
		peers := exec.Command(os.Args[0], "-test.run=^TestProtocol_idlePeers$")
		peers.Env = append(os.Environ(), "AIONET_IDLE_PEERS="+ln.Addr().String(), fmt.Sprint("AIONET_IDLE_COUNT=", n))
		peers.Stderr = os.Stderr
		stdin, err := peers.StdinPipe()
		must(t, err)
		must(t, peers.Start())
		defer peers.Wait()
		defer stdin.Close()
		must(t, all.Wait(ctx))
		must(t, asyncio.Sleep(ctx, 0)) // ConnectionMade of the last ones
		each := float64(liveBytes()-before) / float64(n)
		t.Logf("%.0f bytes a connection, with %d", each, n)
		if each >= 600 {
			t.Errorf("an idle connection costs %.0f bytes", each)
		}
		server.Cancel()
		_, _ = server.Await(ctx)
		return nil
	})
}

// liveBytes is how much Go memory is in use.
func liveBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func TestProtocol_echo_allocatesNothing(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "portable" {
			return // it starts goroutines
		}
		_, peer := attach(t, ctx, network, new(echoProtocol))
		message := make([]byte, 64)
		allocs := testing.AllocsPerRun(200, func() {
			peer.Write(message)
			for n := 0; n < len(message); {
				k, err := peer.Read(message)
				must(t, err)
				n += k
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations a message", allocs)
		}
	})
}
