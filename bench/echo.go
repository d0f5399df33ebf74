package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var echoPart = part{
	name:  "echo",
	title: "TCP echo of 64 bytes",
	note: `The server is on one core, the client (peers/echo/client.c, the same for all) on the other; each connection sends 64
bytes, waits for their echo and sends again. asyncio: aionet.Serve with a handler that reads and writes a net.Conn. With
one connection the latency of waking up decides. Where a server leaves its core idle, the client is the limit; the time of the
server's core a message shows the difference then.`,
	runs: 5,
	rows: func() []row {
		servers := func(connections int) []contender {
			server := func(args ...string) func() (values, error) {
				return func() (values, error) { return echo(connections, args...) }
			}
			return []contender{
				{"asyncio", server(build + "our-echo")},
				{"Go net", server(build + "gonet")},
				{"netpoll", server(build + "netpoll")},
				{"C epoll", server(build + "c-echo")},
				{"tokio", server(build+"tokio/release/tokio-peer", "echo")},
			}
		}
		var rows []row
		for _, connections := range []int{1, 64, 1000, 5000} {
			beside := 1.25
			if connections == 1 {
				beside = 1
			}
			rows = append(rows, row{fmt.Sprintf("%d connections", connections), servers(connections), []metric{
				{"msg/s", "messages/s", []target{{peer: "Go net", atLeast: beside}, {peer: "C epoll", atLeast: 0.9}}},
				{"cpu-us", "µs of the server's core a message", nil},
				{"p50-us", "µs median latency", nil},
				{"p99-us", "µs latency at 99 %", nil},
			}})
		}
		return rows
	},
}

// echo measures one server, which is started with the port as its last argument.
func echo(connections int, args ...string) (values, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	server := pinned(serverCore, append(args, port)...)
	server.Env = append(server.Environ(), oneCore...)
	if err := startServer(server, port); err != nil {
		return nil, err
	}
	defer stop(server)
	got, err := program(clientCore, nil, build+"echo-client", port, strconv.Itoa(connections), brief("3", "0.5"))()
	if err != nil {
		return nil, err
	}
	used, err := cpuTime(server.Process.Pid)
	got["cpu-us"] = float64(used.Microseconds()) / got["messages"]
	return got, err
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

// startServer returns when the server accepts connections.
func startServer(server *exec.Cmd, port string) error {
	if err := server.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			return conn.Close()
		}
	}
	stop(server)
	return fmt.Errorf("%v does not listen after 5 s", server.Args)
}

func stop(server *exec.Cmd) {
	server.Process.Signal(syscall.SIGKILL)
	server.Wait()
}
