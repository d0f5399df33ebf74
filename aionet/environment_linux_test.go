package aionet_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// activated is what a child process of these tests does: it answers at each listener with its name.
func activated() error {
	return asyncio.Run(context.Background(), func(ctx context.Context) error {
		lns, err := aionet.ListenersFromEnvironment(ctx)
		if err != nil {
			return err
		}
		again, err := aionet.ListenersFromEnvironment(ctx)
		fmt.Println(len(lns), len(again), err, os.Getenv("LISTEN_FDS"))
		for _, ln := range lns {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			fmt.Fprintf(c, "%s %s", ln.Name(), ln.Addr())
			c.Close()
			ln.Close()
		}
		return nil
	})
}

func TestActivatedChild(t *testing.T) {
	if os.Getenv("AIONET_ACTIVATED") == "" {
		return // the test is the parent
	}
	if err := activated(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child returns the command that runs activated in a process to which the shell adds its own LISTEN_PID.
func child(t *testing.T, pid string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "LISTEN_PID="+pid+` exec "$0" -test.run='^TestActivatedChild$'`, os.Args[0])
	cmd.Env = append(os.Environ(), append(env, "AIONET_ACTIVATED=1")...)
	return cmd
}

func TestListenersFromEnvironment_inheritsThemByName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	cmd := child(t, "$$", "LISTEN_FDS=2", "LISTEN_FDNAMES=web:admin")
	for _, ln := range []net.Listener{tcp, unix} {
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tcp.Close() // the child is the one that answers
	answers := ""
	for _, at := range []net.Addr{tcp.Addr(), unix.Addr()} {
		c, err := net.Dial(at.Network(), at.String())
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		answers += string(answer) + "\n"
		c.Close()
	}
	if want := fmt.Sprintf("web %s\nadmin %s\n", tcp.Addr(), path); answers != want {
		t.Errorf("the child answered\n%swant\n%s", answers, want)
	}
	if said, _ := bufio.NewReader(out).ReadString('\n'); said != "2 0 <nil> \n" {
		t.Errorf("the child says %q", said)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the file of the manager's socket: %v", err)
	}
}

func TestListenersFromEnvironment_meantForAnotherProcessOrWrong_givesNone(t *testing.T) {
	for want, env := range map[string][]string{
		"0 0 <nil> 1\n":                 {strconv.Itoa(os.Getpid()), "LISTEN_FDS=1"},
		"0 0 <nil> \n":                  {"$$", "LISTEN_FDS="},
		"is \"many\", not a number":     {"$$", "LISTEN_FDS=many"},
		"has 1 names for 2 descriptors": {"$$", "LISTEN_FDS=2", "LISTEN_FDNAMES=one"},
	} {
		out, _ := child(t, env[0], env[1:]...).Output()
		if !strings.Contains(string(out), want) {
			t.Errorf("%v: the child says %q, want %q", env, out, want)
		}
	}
}

// The real thing opens the socket, and starts the server when somebody comes.
func TestListenersFromEnvironment_bySystemdSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("systemd-socket-activate is not installed")
	}
	path := filepath.Join(t.TempDir(), "socket")
	cmd := exec.Command(tool, "-l", path, "--fdname=web", "-E", "AIONET_ACTIVATED=1", os.Args[0], "-test.run=^TestActivatedChild$")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(said).ReadString('\n'); err != nil { // "Listening on ..."
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := io.ReadAll(c)
	if string(answer) != "web "+path || err != nil {
		t.Errorf("it answered %q, %v", answer, err)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
