package aionet_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// The tests below have servers in processes of their own: this test binary again, told by the environment what to be.
var roles = map[string]func(ctx context.Context) error{
	"starved": func(ctx context.Context) error { return starvedServer(ctx) },
	"shedding": func(ctx context.Context) error {
		return starvedServer(ctx, aionet.WithIdleLimitWhenFull(100*time.Millisecond))
	},
	"draining": drainingServer,
	"soaked":   soakServersMain,
}

func TestServerChild(t *testing.T) {
	role := roles[os.Getenv("AIONET_ROLE")]
	if role == nil {
		return // the test is the parent
	}
	if err := asyncio.Run(context.Background(), role, asyncio.WithInterrupt(false)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// childServer starts a server process and returns where it listens.
func childServer(t *testing.T, role string) (cmd *exec.Cmd, addr string, out *bufio.Reader) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run=^TestServerChild$")
	cmd.Env = append(os.Environ(), "AIONET_ROLE="+role)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	out = bufio.NewReader(pipe)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line), out
}

// starvedServer may have few descriptors. It prints how often it reported trouble and how much processor it used.
func starvedServer(ctx context.Context, opts ...aionet.ServeOption) error {
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	reports := 0
	asyncio.RunningLoop(ctx).SetExceptionHandler(func(info asyncio.ExceptionInfo) {
		if errors.Is(info.Err, syscall.EMFILE) {
			reports++
		}
	})
	warmUp, err := net.Listen("tcp", "127.0.0.1:0") // so that the runtime has its own descriptors
	if err != nil {
		return err
	}
	warmUp.Close()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 30, Max: 30}); err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	s := aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			return err
		}
		if line == "usage\n" {
			var used syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
				return err
			}
			line = fmt.Sprintln(reports, (used.Utime.Nano()+used.Stime.Nano())/1e6)
		}
		_, err = io.WriteString(c, line)
		return err
	}, opts...)
	if err := s.AddListener(ln); err != nil {
		return err
	}
	return s.ServeForever(ctx)
}

// Peers that say nothing have all the descriptors that there are.
func TestServer_descriptorsExhaustedByIdleConnections_makesRoom(t *testing.T) {
	_, addr, _ := childServer(t, "shedding")
	for range 60 {
		c, err := net.Dial("tcp", addr)
		must(t, err)
		defer c.Close()
	}
	c, err := net.Dial("tcp", addr)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(c, "hello\n")
	must(t, err)
	if got, err := io.ReadAll(c); string(got) != "hello\n" || err != nil {
		t.Errorf("the one that speaks is told %q, %v", got, err)
	}
}

// More connections than there are descriptors for: the server serves what it has, does not spin, and takes the others
// when the first ones have gone.
//
// conformance: net-server-05
func TestServer_descriptorsExhausted_backsOffAndRecovers(t *testing.T) {
	_, addr, _ := childServer(t, "starved")
	var clients []net.Conn
	for range 60 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	ask := func(c net.Conn, question string) (string, error) {
		if _, err := io.WriteString(c, question+"\n"); err != nil {
			return "", err
		}
		answer, err := io.ReadAll(c)
		return string(answer), err
	}
	time.Sleep(500 * time.Millisecond) // for a busy loop to show
	usage, err := ask(clients[0], "usage")
	var reports, milliseconds int
	if _, scanErr := fmt.Sscan(usage, &reports, &milliseconds); err != nil || scanErr != nil {
		t.Fatalf("usage is %q, %v, %v", usage, err, scanErr)
	}
	if reports < 1 || reports > 3 || milliseconds > 400 {
		t.Errorf("%d reports, %d ms of processor", reports, milliseconds)
	}
	for i, c := range clients[1:] {
		if got, err := ask(c, "hello"); got != "hello\n" || err != nil {
			t.Fatalf("client %d of %d: %q, %v", i+1, len(clients), got, err)
		}
	}
}

// drainingServer answers each line a little later. At SIGTERM it finishes what it is asked already; at a second one it
// ends at once. This is how a service is to end.
func drainingServer(ctx context.Context) error {
	ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := aionet.NewServer(ctx, func(ctx context.Context, c net.Conn) error {
		for in := bufio.NewReader(c); ; {
			var question string
			err := aionet.Idle(ctx, func(context.Context) (err error) {
				question, err = in.ReadString('\n')
				return err
			})
			if err != nil {
				return nil
			}
			fmt.Println("asked")
			wait := 300 * time.Millisecond
			if question == "for ever?\n" {
				wait = asyncio.Forever
			}
			if err := asyncio.Sleep(ctx, wait); err != nil {
				return err
			}
			if _, err := io.WriteString(c, "answer to "+question); err != nil {
				return err
			}
		}
	}, aionet.WithDrain(time.Minute))
	if err := s.AddListener(ln); err != nil {
		return err
	}
	loop := asyncio.RunningLoop(ctx)
	err = loop.AddSignalHandler(syscall.SIGTERM, func(os.Signal) {
		loop.RemoveSignalHandler(syscall.SIGTERM) // the next one ends the process
		s.Close()
		fmt.Println("draining")
	})
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return s.ServeForever(ctx)
}

func expect(t *testing.T, out *bufio.Reader, want string) {
	t.Helper()
	if line, err := out.ReadString('\n'); line != want+"\n" {
		t.Fatalf("the server says %q, %v, want %q", line, err, want)
	}
}

func TestServer_terminated_answersWhatIsAskedAndRefusesTheRest(t *testing.T) {
	cmd, addr, out := childServer(t, "draining")
	var clients []net.Conn
	for i := range 5 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "question %d\n", i)
		clients = append(clients, c)
		expect(t, out, "asked")
	}
	idle, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	start := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect(t, out, "draining")
	if c, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection got %v, %v", c, err)
	}
	for i, c := range clients {
		want := "answer to question " + strconv.Itoa(i) + "\n"
		if got, err := io.ReadAll(c); string(got) != want || err != nil {
			t.Errorf("client %d: %q, %v", i, got, err)
		}
	}
	if got, _ := io.ReadAll(idle); len(got) > 0 {
		t.Errorf("one that had asked nothing got %q", got)
	}
	if err := cmd.Wait(); err != nil || time.Since(start) > 30*time.Second {
		t.Errorf("the server ended with %v after %v", err, time.Since(start))
	}
}

func TestServer_terminatedTwice_endsAtOnce(t *testing.T) {
	cmd, addr, out := childServer(t, "draining")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, "for ever?")
	for _, want := range []string{"asked", "draining"} {
		expect(t, out, want)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("the server ends with %v", cmd.ProcessState)
	}
	if got, _ := io.ReadAll(c); bytes.Contains(got, []byte("answer")) {
		t.Errorf("the client got %q", got)
	}
}

// Each loop has a listener at one address; the connections spread, and stay where they are.
func TestRunLoops_aListenerEach_connectionsSpreadOverTheLoops(t *testing.T) {
	for name, opts := range map[string][]aionet.Option{"a port": {aionet.WithReusePort()}, "one queue": nil} {
		const loops, connections = 4, 120
		var served [loops]int // each is its loop's
		done := errors.New("done")
		err := asyncio.RunLoops(context.Background(), loops, func(ctx context.Context, i int) error {
			if i != 0 {
				return asyncio.Sleep(ctx, asyncio.Forever) // it does what loop 0 asks for
			}
			ln, err := aionet.Listen(ctx, "tcp", "127.0.0.1:0", opts...)
			if err != nil {
				return err
			}
			for i, l := range asyncio.Loops(ctx)[1:] {
				_, err := asyncio.CallOn(ctx, l, func(ctx context.Context) (int, error) {
					clone, err := ln.Clone(ctx)
					if err != nil {
						return 0, err
					}
					s := aionet.NewServer(l.Context(), func(ctx context.Context, c net.Conn) error {
						served[i+1]++
						if asyncio.RunningLoop(ctx) != l {
							t.Error("a connection is served on another loop")
						}
						return echo(ctx, c)
					})
					return 0, errors.Join(s.AddListener(clone), s.Start())
				})
				if err != nil {
					return err
				}
			}
			addr := ln.Addr().String()
			ln.Close()
			_, err = asyncio.Map(ctx, 20, numbers(connections), func(ctx context.Context, i int) (int, error) {
				c, err := aionet.Dial(ctx, "tcp", addr)
				if err != nil {
					return 0, err
				}
				defer c.Close()
				return 0, roundTrip(ctx, c, "hello")
			})
			return errors.Join(err, done)
		})
		if !errors.Is(err, done) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		all := 0
		for i, n := range served {
			all += n
			if opts != nil && i > 0 && n < connections/loops/4 { // one queue may leave much to the fastest
				t.Errorf("%s: loop %d has served %d of %d connections", name, i, n, connections)
			}
		}
		if all != connections {
			t.Errorf("%s: %d connections served", name, all)
		}
	}
}

// A listener that somebody else shuts down ends the server with its error, or only itself if there are others.
func TestServer_listenerBroken_isReportedAndTheLastOneEndsTheServer(t *testing.T) {
	reports := 0
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		lns, err := aionet.ListenAll(ctx, "tcp", []string{"127.0.0.1:0", "127.0.0.2:0"})
		if err != nil {
			return err
		}
		s := aionet.NewServer(ctx, echo)
		if err := s.AddListener(lns...); err != nil {
			return err
		}
		forever := asyncio.Go(ctx, s.ServeForever)
		_ = asyncio.Yield(ctx)
		for i, ln := range lns {
			f, err := ln.File()
			if err != nil {
				return err
			}
			rc, err := f.SyscallConn()
			if err != nil {
				return err
			}
			if err := rc.Control(func(fd uintptr) { _ = shutdownSocket(fd) }); err != nil {
				return err
			}
			f.Close()
			for len(s.Addrs()) > 1-i {
				if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
					return err
				}
			}
		}
		_, err = forever.Await(ctx)
		if !errors.Is(err, syscall.EINVAL) {
			t.Errorf("ServeForever = %v", err)
		}
		return nil
	}, asyncio.WithExceptionHandler(func(asyncio.ExceptionInfo) { reports++ }))
	if err != nil || reports != 2 {
		t.Errorf("%v, %d reports", err, reports)
	}
}

func shutdownSocket(fd uintptr) error { return syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }
