package main

var acceptPart = part{
	name:  "accept",
	title: "Accepting connections",
	note: `The client (peers/echo/accept.c) opens 64 connections, sends 64 bytes on each, reads their echoes and resets the connections,
and again. A result is how many a second have been accepted, served and closed.`,
	runs: 3,
	rows: func() []row {
		servers := []server{ourStreams, ourProtocols, goServer("tcp"), gnetServer, tokioServer("tcp"), cServer, nodeServer("tcp"), pythonStreams, uvloopStreams}
		return []row{{"64 at a time", underLoad(servers, smallBuffer, build+"accept-client", "64", brief("1", "0.2")), []metric{
			{"conn/s", "connections/s", []target{{peer: "tokio", atLeast: 0.9}}},
			{"cpu-us", "µs of the server's core a connection", nil},
		}}}
	},
}
