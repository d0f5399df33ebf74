//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

func TestMain(m *testing.M) {
	if os.Getenv("CHAT_SERVER") != "" {
		os.Args = append(os.Args[:1], strings.Fields(os.Getenv("CHAT_SERVER"))...)
		main()
		return
	}
	leakcheck.Main(m)
}

// server is the program in a process of its own.
func server(t *testing.T, args string) (addr string, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CHAT_SERVER=-addr 127.0.0.1:0 "+args)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
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
		t.Fatalf("the server says %q, %v", line, err)
	}
	return addr, cmd
}

// person is somebody with socat.
type person struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
	cmd *exec.Cmd
}

func arrive(t *testing.T, addr, name string) *person {
	t.Helper()
	p := &person{t: t, cmd: exec.Command("socat", "-", "TCP:"+addr)}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Skip("socat is not installed: ", err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	p.hears("* your name?")
	p.says(name)
	return p
}

func (p *person) says(line string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Error(err)
	}
}

func (p *person) hears(want string) {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if strings.TrimSpace(line) != want {
		p.t.Fatalf("heard %q, %v, want %q", line, err, want)
	}
}

func TestChat_peopleTalkAndLeave(t *testing.T) {
	addr, cmd := server(t, "")
	ada := arrive(t, addr, "ada")
	ada.hears("* welcome, ada; people here: 1")
	bob := arrive(t, addr, "ada")
	bob.hears("* there is a ada already; your name?")
	bob.says("not a name")
	bob.hears("* a name is one word of up to 20 letters; yours?")
	bob.says("bob")
	bob.hears("* welcome, bob; people here: 2")
	ada.hears("* bob is here")
	ada.says("hello")
	bob.hears("ada: hello")
	bob.says("hello yourself")
	ada.hears("bob: hello yourself")
	bob.in.Close() // socat passes the end on
	ada.hears("* bob has left")

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ada.hears("* the server is going down; goodbye")
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM the server ends with %v", err)
	}
}

// Who reads nothing is dropped, and nobody else notices.
func TestChat_slowReader_isDropped(t *testing.T) {
	addr, _ := server(t, "")
	slow, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	_ = slow.(*net.TCPConn).SetReadBuffer(4096)
	if _, err := fmt.Fprintln(slow, "slow"); err != nil {
		t.Fatal(err)
	}
	loud := arrive(t, addr, "loud")
	loud.hears("* welcome, loud; people here: 2")
	dropped := make(chan string)
	go func() {
		line, _ := loud.out.ReadString('\n')
		dropped <- line
	}()
	talk := strings.Repeat("x", longest-10)
	for {
		select {
		case line := <-dropped:
			if line != "* slow has left\n" {
				t.Errorf("loud heard %q", line)
			}
			return
		case <-time.After(time.Millisecond):
			loud.says(talk)
		}
	}
}

func TestChat_full_letsTheNextOneInWhenSomebodyLeaves(t *testing.T) {
	addr, _ := server(t, "-max 1")
	first := arrive(t, addr, "first")
	first.hears("* welcome, first; people here: 1")
	second := make(chan *person)
	go func() { second <- arrive(t, addr, "second") }()
	first.in.Close()
	(<-second).hears("* welcome, second; people here: 1")
}

func TestUsage_wrong_isSaid(t *testing.T) {
	for _, args := range []string{"-max 0", "localhost:7000"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CHAT_SERVER=-addr 127.0.0.1:none "+args)
		said, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(said), "-max") {
			t.Errorf("%q: exit %d, %s", args, code, said)
		}
	}
}
