//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

func TestMain(m *testing.M) {
	if os.Getenv("FORWARD") != "" {
		os.Args = append(os.Args[:1], strings.Fields(os.Getenv("FORWARD"))...)
		main()
		return
	}
	leakcheck.Main(m)
}

// process is the program in a process of its own.
type process struct {
	*exec.Cmd
	addr   string
	stderr *bufio.Reader
}

func start(t *testing.T, to, args string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FORWARD=-listen 127.0.0.1:0 -to "+to+" "+args)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("the program says %q, %v", line, err)
	}
	return &process{cmd, addr, bufio.NewReader(stderr)}
}

// says expects a line with all of want.
func (p *process) says(t *testing.T, want ...string) {
	t.Helper()
	line, err := p.stderr.ReadString('\n')
	for _, w := range want {
		if !strings.Contains(line, w) {
			t.Errorf("it says %q, %v, want %q", line, err, w)
		}
	}
}

// echo answers with what it was sent once it has had everything, so it needs half-closes.
func echo(t *testing.T) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				all, err := io.ReadAll(c)
				if err == nil {
					_, _ = c.Write(all)
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// outcome is how a connection ends on which nothing is sent.
func outcome(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err // a reset may come so early
	}
	defer c.Close()
	_, err = io.ReadAll(c)
	return err
}

func TestForward_curlFetchesThroughIt(t *testing.T) {
	page := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) }))
	defer web.Close()
	p := start(t, strings.TrimPrefix(web.URL, "http://"), "")
	got, err := exec.Command("curl", "-sS", "--parallel", "http://"+p.addr+"/a").Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("curl is not installed")
	}
	if err != nil || !bytes.Equal(got, page) {
		t.Errorf("curl got %d bytes, %v, want %d", len(got), err, len(page))
	}
	if err := p.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	p.says(t, "1 in all, 0 refused, 0 unreachable, 0 idle", "down")
}

func TestForward_halfClose_isPassedOn(t *testing.T) {
	p := start(t, echo(t), "")
	socat := exec.Command("socat", "-t", "30", "-", "TCP:"+p.addr) // says when its input has ended, and waits for answers
	socat.Stdin = strings.NewReader("the whole question")
	got, err := socat.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("socat is not installed")
	}
	if string(got) != "the whole question" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestForward_limitOfOneClient_refusesMore(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := start(t, ln.Addr().String(), "-per-client 1")
	first := dial(t, p.addr)
	far, err := ln.Accept() // now the first one counts
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if err := outcome(p.addr); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the second connection got %v, want a reset", err)
	}
	if _, err := first.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := first.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(far); string(got) != "x" || err != nil {
		t.Errorf("of the first one came %q, %v", got, err)
	}
}

func TestForward_silence_endsTheConnection(t *testing.T) {
	p := start(t, echo(t), "-idle 50ms")
	if err := outcome(p.addr); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a silent connection got %v, want a reset", err)
	}
	if err := p.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	p.says(t, "1 idle", "0 up, 0 down")
}

func TestForward_nobodyThere_resets(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := ln.Addr().String()
	ln.Close()
	p := start(t, to, "")
	if err := outcome(p.addr); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	p.says(t, "dial tcp "+to)
}

// SIGTERM lets what is under way finish, and refuses what is new.
func TestForward_terminated_drains(t *testing.T) {
	p := start(t, echo(t), "")
	c := dial(t, p.addr)
	if _, err := fmt.Fprint(c, "before, "); err != nil {
		t.Fatal(err)
	}
	for { // until it is there
		if err := p.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if line, err := p.stderr.ReadString('\n'); err != nil || strings.Contains(line, "8 up") {
			break
		}
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		another, err := net.Dial("tcp", p.addr)
		if err != nil {
			break // it has stopped listening
		}
		another.Close()
	}
	fmt.Fprint(c, "after")
	_ = c.CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "before, after" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	p.says(t, "0 now", "13 up, 13 down")
	if err := p.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func TestForward_terminatedTwice_endsAtOnce(t *testing.T) {
	p := start(t, echo(t), "-drain 1h")
	c := dial(t, p.addr)
	for range 2 {
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for {
			another, err := net.Dial("tcp", p.addr)
			if err != nil {
				break
			}
			another.Close()
		}
	}
	_ = p.Wait()
	if status := p.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ends with %v", p.ProcessState)
	}
	c.Close()
}

func TestUsage_wrong_isSaid(t *testing.T) {
	for _, args := range []string{"-max 0", "-per-client 0", "-idle 0", "localhost:7000"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FORWARD=-listen 127.0.0.1:none -to localhost:1 "+args)
		said, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(said), "-per-client") {
			t.Errorf("%q: exit %d, %s", args, code, said)
		}
	}
}
