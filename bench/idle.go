package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

var idlePart = part{
	name:  "idle",
	title: "Idle connections",
	note: `20,000 connections (or as many as the system's limit on open files allows, less 100), each of which had 64 bytes echoed and then is idle. Resident: growth of the server's process, without what the system
keeps for each socket; live: Go's heap and stacks after a garbage collection. A coroutine or goroutine has a buffer of 512 bytes of its own.`,
	runs: 1,
	rows: func() []row {
		var all []contender
		servers := []server{ourStreams, ourProtocols, goServer("tcp"), gnetServer, netpollServer, tokioServer("tcp"), nodeServer("tcp"), pythonStreams, pythonProtocols, uvloopProtocols}
		for _, s := range servers {
			all = append(all, contender{s.name, func() (values, error) { return s.measure(smallBuffer, idle) }})
		}
		return []row{{"idle connection", all, []metric{
			{"live-bytes", "live bytes", []target{{of: ourProtocols.name, atMost: 600}}},
			{"rss-bytes", "resident bytes", nil},
		}}}
	},
}

// idle opens the connections and returns by how much the server has grown for each.
func idle(port string, r *running) (values, error) {
	connections := brief(manyConnections(), 1_000)
	first, err := dialEcho(port) // what the first one alone needs does not count
	if err != nil {
		return nil, err
	}
	defer first.Close()
	before, err := r.memory()
	if err != nil {
		return nil, err
	}
	for range connections {
		c, err := dialEcho(port)
		if err != nil {
			return nil, err
		}
		defer c.Close()
	}
	got, err := r.memory()
	for name := range got {
		got[name] = (got[name] - before[name]) / float64(connections)
	}
	if err == nil {
		got["messages"] = float64(connections)
	}
	return got, err
}

// manyConnections lets this program, and those that it starts, have as many open files as the system allows.
func manyConnections() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // what is set by hand is inherited
	}
	const others = 100 // open files that are no connections
	return min(20_000, int(limit.Cur)-others)
}

// dialEcho returns a connection that has had a message echoed.
func dialEcho(port string) (net.Conn, error) {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	if err := c.(*net.TCPConn).SetLinger(0); err != nil { // so that no TIME_WAIT is left
		return nil, err
	}
	message := make([]byte, 64)
	if _, err := c.Write(message); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(c, message)
	return c, err
}

// memory returns what the process has in use, and what Go says it has if it is a Go program.
func (r *running) memory() (values, error) {
	pid := r.cmd.Process.Pid
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return nil, err
	}
	var size, resident, live float64 // the first two in pages
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		return nil, err
	}
	v := values{"rss-bytes": resident * float64(os.Getpagesize())}
	if _, err := buildinfo.ReadFile(r.program); err != nil {
		return v, nil // not a Go program, which would know more
	}
	if err := r.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return nil, err
	}
	for {
		line, err := r.stdout.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Sscanf(line, "live-bytes %g\n", &live); err == nil { // other lines are logs
			v["live-bytes"] = live
			return v, nil
		}
	}
}
