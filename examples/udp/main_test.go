//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

// asks is a client that sends each argument after the address as a datagram, and prints the answers.
const asks = `
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect((host, int(port)))
for question in sys.argv[2:]:
    s.send(question.encode())
    if len(question) <= 1200:
        sys.stdout.write(s.recv(2000).decode())
`

// The test binary is the command when this is set.
const asCommand = "UDP_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	leakcheck.Main(m)
}

// process is the program in a process of its own.
type process struct {
	*exec.Cmd
	addr string
	out  *bufio.Reader
}

func start(t *testing.T) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-listen", "127.0.0.1:0", "-stats", "1h")
	cmd.Env = append(os.Environ(), asCommand+"=1")
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	out := bufio.NewReader(pipe)
	line, err := out.ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "serving ")
	if !ok {
		t.Fatalf("the program says %q, %v", line, err)
	}
	return &process{cmd, addr, out}
}

func (p *process) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// ends expects the program to end well, with the last line.
func (p *process) ends(t *testing.T, last string) {
	t.Helper()
	if line, err := p.out.ReadString('\n'); line != last+"\n" {
		t.Errorf("printed %q, %v at the end", line, err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func TestService_answersARealClient(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 to ask with")
	}
	p := start(t)
	questions := []string{"get colour", "set colour light blue", "get colour\n", "del colour", "del colour", "what?", strings.Repeat("x", 1201), "stats"}
	out, err := exec.Command(python, append([]string{"-c", asks, p.addr}, questions...)...).CombinedOutput()
	want := "none\nok\nvalue light blue\nok\nnone\n" +
		"error: set NAME VALUE, get NAME, del NAME, time or stats\nstats 8 asked, 0 entries, 2 errors\n"
	if err != nil || string(out) != want {
		t.Errorf("%v\n%s", err, out)
	}
	p.signal(t, os.Interrupt)
	p.ends(t, "stats 8 asked, 0 entries, 2 errors")
}

// SIGTERM comes while many questions wait in the socket.
func TestService_terminated_answersWhatHasBeenAsked(t *testing.T) {
	const questions = 50
	p := start(t)
	c, err := net.Dial("udp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.signal(t, syscall.SIGSTOP)
	for i := range questions {
		if _, err := fmt.Fprint(c, "set ", i, " x"); err != nil {
			t.Fatal(err)
		}
	}
	p.signal(t, syscall.SIGTERM)
	p.signal(t, syscall.SIGCONT)
	p.ends(t, fmt.Sprintf("stats %d asked, %d entries, 0 errors", questions, questions))
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for range questions {
		if n, err := c.Read(buf); string(buf[:n]) != "ok\n" || err != nil {
			t.Fatalf("the answer is %q, %v", buf[:n], err)
		}
	}
}

func TestStore_entries_areForgottenAfterTheirTime(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		s := &store{loop: asyncio.RunningLoop(ctx), ttl: time.Minute, entries: make(map[string]*entry)}
		get := func(want string) {
			t.Helper()
			if got := s.answer("get a"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		s.answer("set a 1")
		_ = asyncio.Sleep(ctx, 59*time.Second)
		get("value 1")
		s.answer("set a 2") // begins anew
		_ = asyncio.Sleep(ctx, 59*time.Second)
		get("value 2")
		_ = asyncio.Sleep(ctx, 2*time.Second)
		get("none")
		return nil
	}, asyncio.WithVirtualClock())
	if err != nil {
		t.Fatal(err)
	}
}

func TestUsage_wrong_isSaid(t *testing.T) {
	for _, arg := range []string{"-stats=0", "-ttl=-1s", "localhost:5300"} {
		cmd := exec.Command(os.Args[0], "-listen=127.0.0.1:none", arg)
		cmd.Env = append(os.Environ(), asCommand+"=1")
		said, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(said), "-stats") {
			t.Errorf("%q: exit %d, %s", arg, code, said)
		}
	}
}
