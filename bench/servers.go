package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A server is a contender that echoes what it gets. Its port and the size of its
// buffers follow its arguments.
type server struct {
	name string
	args []string
}

func ourServer(name, mode string) server { return server{name, []string{build + "our-echo", mode}} }
func goServer(mode string) server        { return server{"Go net", []string{build + "gonet", mode}} }
func tokioServer(mode string) server {
	return server{"tokio", []string{build + "tokio/release/tokio-peer", mode}}
}
func nodeServer(mode string) server {
	return server{"Node", []string{debianNode, "peers/node/echo.js", mode}}
}

func pythonServer(name, loop, mode string) server {
	return server{name, []string{debianPython, "peers/python/echo.py", loop, mode}}
}

// The columns of everything that serves TCP.
var (
	ourStreams      = ourServer("asyncio", "streams")
	ourProtocols    = ourServer("asyncio protocols", "protocols")
	gnetServer      = server{"gnet", []string{build + "gnet"}}
	netpollServer   = server{"netpoll", []string{build + "netpoll"}}
	cServer         = server{"C epoll", []string{build + "c-echo"}}
	pythonStreams   = pythonServer("CPython streams", "asyncio", "streams")
	pythonProtocols = pythonServer("CPython protocols", "asyncio", "protocols")
	uvloopStreams   = pythonServer("uvloop streams", "uvloop", "streams")
	uvloopProtocols = pythonServer("uvloop protocols", "uvloop", "protocols")
)

// smallBuffer is the least that a server has for each connection.
const smallBuffer = 512

// underLoad returns the contenders that are measured by what the load prints. It
// runs on the other core and is given the server's port as its first argument.
func underLoad(servers []server, size int, load ...string) []contender {
	var all []contender
	for _, s := range servers {
		all = append(all, contender{s.name, func() (values, error) {
			return s.measure(size, func(port string, _ *running) (values, error) {
				return program(otherCore, nil, append([]string{load[0], port}, load[1:]...)...)()
			})
		}})
	}
	return all
}

// measure runs the server on its core while load does. It adds the processor time
// that each of load's messages took there.
func (s server) measure(size int, load func(port string, r *running) (values, error)) (values, error) {
	if _, err := exec.LookPath(s.args[0]); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := slices.Concat(s.args, []string{port, strconv.Itoa(max(size, smallBuffer))})
	r := &running{program: s.args[0], cmd: pinned(ourCore, args...)}
	r.cmd.Env = append(r.cmd.Environ(), oneCore...)
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.stdout = bufio.NewReader(stdout)
	if err := startServer(r.cmd, port); err != nil {
		return nil, err
	}
	defer stop(r.cmd)
	before, err := cpuTime(r.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	got, err := load(port, r)
	if err != nil {
		return nil, err
	}
	used, err := cpuTime(r.cmd.Process.Pid)
	got["cpu-us"] = float64((used - before).Microseconds()) / got["messages"]
	return got, err
}

// running is a server's process.
type running struct {
	program string
	cmd     *exec.Cmd
	stdout  *bufio.Reader
}

// cpuTime returns how long the process has run, in its own code and in the kernel.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, afterName, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(afterName)
	const utime, stime, tick = 11, 12, 10 * time.Millisecond
	user, err1 := strconv.Atoi(fields[utime])
	system, err2 := strconv.Atoi(fields[stime])
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// startServer returns when the server accepts connections or answers datagrams.
func startServer(server *exec.Cmd, port string) error {
	if err := server.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			return conn.Close()
		}
		if answersDatagrams(port) {
			return nil
		}
	}
	stop(server)
	return fmt.Errorf("%v does not listen after 5 s", server.Args)
}

func answersDatagrams(port string) bool {
	conn, err := net.Dial("udp", "127.0.0.1:"+port)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := conn.Write([]byte("?")); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

func stop(server *exec.Cmd) {
	server.Process.Signal(syscall.SIGKILL)
	server.Wait()
}
