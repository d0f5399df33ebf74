package aionet_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// sClient is a running "openssl s_client", whose output about itself is kept and whose received data is thrown away.
type sClient struct {
	cmd   *exec.Cmd
	stdin io.Writer
	says  *bufio.Reader
}

func openssl(t *testing.T, ctx context.Context, addr string) *sClient {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed (Debian: apt-get install openssl): no key update by a real peer")
	}
	cmd := exec.Command(path, "s_client", "-connect", addr, "-tls1_3")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asyncio.ToThread(ctx, func() (asyncio.None, error) { return asyncio.None{}, cmd.Start() }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &sClient{cmd, stdin, bufio.NewReader(stderr)}
}

// send types a line.
func (c *sClient) send(ctx context.Context, line string) error {
	_, err := asyncio.ToThread(ctx, func() (int, error) { return io.WriteString(c.stdin, line+"\n") })
	return err
}

// expect waits until it says something about itself.
func (c *sClient) expect(ctx context.Context, what string) error {
	_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
		for {
			line, err := c.says.ReadString('\n')
			if strings.Contains(line, what) || err != nil {
				return asyncio.None{}, err
			}
		}
	})
	return err
}

// gate is a proxy on plain goroutines, that can hold back what the server sends.
type gate struct {
	ln   net.Listener
	open chan struct{} // holds a token while data may pass
}

func newGate(t *testing.T, server string) *gate {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{ln, make(chan struct{}, 1)}
	g.open <- struct{}{}
	var both sync.WaitGroup
	both.Go(func() {
		client, err := ln.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		both.Go(func() { io.Copy(server, client) })
		defer server.Close()
		g.forward(client, server)
	})
	t.Cleanup(func() {
		ln.Close()
		both.Wait()
	})
	return g
}

func (g *gate) forward(client, server net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		token := <-g.open
		g.open <- token
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// The peer asks for new keys while a Write waits for room. crypto/tls answers from within Read, and takes the lock
// that it holds during writes: were a coroutine suspended with it, this Read would stop the loop for ever.
func TestTLS_keyUpdateWhileAWriteWaits_stopsNobody(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", serverConfig())
		if err != nil {
			return err
		}
		g := newGate(t, ln.Addr().String())
		client := openssl(t, ctx, g.ln.Addr().String())
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		defer conn.Close()
		lines := bufio.NewReader(conn)
		say := func(what string) error {
			if err := client.send(ctx, what); err != nil {
				return err
			}
			got, err := lines.ReadString('\n')
			if err == nil && got != what+"\n" {
				err = fmt.Errorf("sent %q, the server read %q", what, got)
			}
			return err
		}
		if err := say("hello"); err != nil {
			return err
		}
		token := <-g.open // from now on nothing reaches the client
		writer := asyncio.Go(ctx, func(context.Context) error {
			_, err := conn.Write(make([]byte, 16<<20))
			return err
		})
		for round := range 5 {
			if err := client.send(ctx, "K"); err != nil {
				return err
			}
			if err := client.expect(ctx, "KEYUPDATE"); err != nil {
				return err
			}
			if err := say(fmt.Sprintf("with key %d", round)); err != nil {
				return err
			}
		}
		if writer.Done() {
			t.Error("the Write had not to wait")
		}
		g.open <- token
		_, err = writer.Await(ctx)
		return err
	})
}
