package main

import (
	"fmt"
	"strconv"
)

var udpPart = part{
	name:  "udp",
	title: "UDP echo of 64 bytes",
	note: `The client (peers/echo/udp.c) has so many sockets, each of which sends a datagram to the server's only socket, waits for its echo and sends
again. Go net: ReadFromUDPAddrPort and WriteToUDPAddrPort; asyncio: the same in a coroutine. Packets are counted once, not there and back.`,
	runs: 3,
	rows: func() []row {
		servers := []server{
			{"asyncio", []string{build + "our-udp"}}, goServer("udp"), tokioServer("udp"), nodeServer("udp"),
			pythonServer("CPython", "asyncio", "udp"), pythonServer("uvloop", "uvloop", "udp"),
		}
		var rows []row
		for _, sockets := range []int{1, 64} {
			rows = append(rows, row{
				fmt.Sprintf("%d at a time", sockets),
				underLoad(servers, smallBuffer, build+"udp-client", strconv.Itoa(sockets), brief("1", "0.2")),
				[]metric{
					{"msg/s", "packets/s", []target{{peer: "tokio", atLeast: 0.9}}},
					{"cpu-us", "µs of the server's core a packet", nil},
				},
			})
		}
		return rows
	},
}
