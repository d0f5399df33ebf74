package faultproxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio/internal/faultproxy"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// through connects two plain connections through a proxy with the plan.
func through(t *testing.T, network string, plan faultproxy.Plan) (client, server net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/socket"
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p, err := faultproxy.Start(network, ln.Addr().String(), func(int) faultproxy.Plan { return plan })
	if err != nil {
		t.Fatal(err)
	}
	if client, err = net.Dial(network, p.Addr()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{client, server} {
		c.SetDeadline(time.Now().Add(30 * time.Second))
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return client, server
}

func TestProxy_withoutFaults_passesEverythingAndTheEnd(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, f := range []faultproxy.Flow{{}, {Pieces: 3}, {Window: 1024}, {Pause: time.Millisecond}} {
			client, server := through(t, network, faultproxy.Plan{Up: f, Down: f})
			data := bytes.Repeat([]byte("0123456789"), 5000)
			go func() {
				client.Write(data)
				client.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got, err := io.ReadAll(server)
			if !bytes.Equal(got, data) || err != nil {
				t.Fatalf("%+v: got %d bytes, %v", f, len(got), err)
			}
			server.Write([]byte("answer"))
			server.Close()
			if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
				t.Errorf("%+v: the way back: %q, %v", f, got, err)
			}
		}
	}
}

func TestProxy_ends_comeAtTheirByte(t *testing.T) {
	for _, c := range []struct {
		end    faultproxy.End
		server error // of reading on, after what came
		client error
	}{
		{faultproxy.Cut, nil, nil},
		{faultproxy.Reset, syscall.ECONNRESET, syscall.ECONNRESET},
		{faultproxy.ResetBack, nil, syscall.ECONNRESET},
	} {
		client, server := through(t, "tcp", faultproxy.Plan{Up: faultproxy.Flow{EndAt: 4, End: c.end}})
		if _, err := client.Write([]byte("four")); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(server); len(got) > 4 || c.server == nil && string(got) != "four" || !errors.Is(err, c.server) {
			t.Errorf("%v: the server got %q, %v", c.end, got, err)
		}
		if got, err := io.ReadAll(client); len(got) != 0 || !errors.Is(err, c.client) {
			t.Errorf("%v: the client got %q, %v", c.end, got, err)
		}
	}
}

func TestProxy_halfClose_leavesTheOtherDirection(t *testing.T) {
	client, server := through(t, "tcp", faultproxy.Plan{Up: faultproxy.Flow{EndAt: 4, End: faultproxy.HalfClose}})
	client.Write([]byte("fourteen"))
	if got, err := io.ReadAll(server); string(got) != "four" || err != nil {
		t.Errorf("the server got %q, %v", got, err)
	}
	server.Write([]byte("still here"))
	server.Close()
	if got, err := io.ReadAll(client); string(got) != "still here" || err != nil {
		t.Errorf("the client got %q, %v", got, err)
	}
}

func TestProxy_silence_passesNothingMore(t *testing.T) {
	client, server := through(t, "tcp", faultproxy.Plan{Up: faultproxy.Flow{EndAt: 4, End: faultproxy.Silence}})
	client.Write([]byte("fourteen"))
	if _, err := io.ReadFull(server, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	server.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := server.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes more", n)
	}
}

func TestRandom_sameSeed_samePlan(t *testing.T) {
	clean, kinds := 0, map[faultproxy.End]bool{}
	for seed := range uint64(1000) {
		p := faultproxy.Random(seed, 3, 1<<20)
		if p != faultproxy.Random(seed, 3, 1<<20) {
			t.Fatalf("seed %d has two plans", seed)
		}
		if p.Clean() {
			clean++
		}
		kinds[p.Up.End], kinds[p.Down.End] = true, true
	}
	if clean < 200 || clean > 500 || len(kinds) != 6 {
		t.Errorf("of 1000 plans %d are clean, and the ends are %v", clean, kinds)
	}
}
