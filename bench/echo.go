package main

import (
	"fmt"
	"strconv"
)

var echoPart = part{
	name:  "echo",
	title: "TCP echo",
	note: `The server is on one core, the client (peers/echo/client.c, the same for all) on the other; each connection sends a
message, waits for its echo and sends again. asyncio: aionet.Serve with a handler that reads and writes a net.Conn; asyncio
protocols: the callback style. With one connection the latency of waking up decides. C epoll shows what the system and the
client allow: where it is no faster than others, they are the limit. The time of the server's core a message shows
the difference then.`,
	runs: 9,
	once: []string{netpollServer.name, pythonStreams.name, pythonProtocols.name, uvloopStreams.name, uvloopProtocols.name, nodeServer("tcp").name},
	rows: func() []row {
		var rows []row
		for _, size := range []struct {
			name  string
			bytes int
		}{{"64 B", 64}, {"4 KiB", 4 << 10}, {"64 KiB", 64 << 10}} {
			for _, connections := range []int{1, 64, 1_000, 10_000} {
				rows = append(rows, row{
					fmt.Sprintf("%s, %d connections", size.name, connections),
					underLoad(echoServers(), size.bytes, build+"echo-client", strconv.Itoa(connections), strconv.Itoa(size.bytes), brief("0.4", "0.2")),
					echoMetrics(connections),
				})
			}
		}
		return rows
	},
}

func echoServers() []server {
	return []server{
		ourStreams, ourProtocols, goServer("tcp"), gnetServer, netpollServer, tokioServer("tcp"), cServer,
		nodeServer("tcp"), pythonStreams, pythonProtocols, uvloopStreams, uvloopProtocols,
	}
}

func echoMetrics(connections int) []metric {
	streams, protocols := 1.0, 1.0
	if connections == 64 || connections == 1_000 {
		streams, protocols = 1.25, 1.35
	}
	metrics := []metric{{"msg/s", "messages/s", []target{
		{peer: "Go net", atLeast: streams},
		{peer: "tokio", atLeast: 0.9},
		{peer: uvloopStreams.name, atLeast: 5},
		{of: ourProtocols.name, peer: "Go net", atLeast: protocols},
		{of: ourProtocols.name, peer: gnetServer.name, atLeast: 1},
		{of: ourProtocols.name, peer: "tokio", atLeast: 0.9},
	}}}
	if connections > 1 {
		return metrics
	}
	return append(metrics,
		metric{"p50-us", "µs median latency", nil},
		metric{"cpu-us", "µs of the server's core a message", nil})
}
