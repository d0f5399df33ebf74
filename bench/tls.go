package main

var tlsPart = part{
	name:  "tls",
	title: "TLS",
	note: `TLS 1.3 with an ECDSA certificate (P-256); the client (peers/echo/tls.c) is OpenSSL on 16 threads. A handshake is counted when 64 bytes
were echoed after it; those that are resumed are so by a ticket. Verifying costs the client more than signing does the server, so that the
client can be the limit: the time of the server's core shows the difference then. Bulk: 16 connections have 64 KiB echoed again and again;
MB/s are counted once, not there and back. Go net: tls.Listener; CPython, uvloop and Node: OpenSSL.`,
	runs: 3,
	rows: func() []row {
		servers := []server{
			ourServer("asyncio", "tls"), goServer("tls"), nodeServer("tls"),
			pythonServer("CPython", "asyncio", "tls"), pythonServer("uvloop", "uvloop", "tls"),
		}
		load := func(what string) []contender {
			return underLoad(servers, 64<<10, build+"tls-client", what, "16", brief("1", "0.2"))
		}
		handshakes := []metric{{"handshakes/s", "handshakes/s", nil}, {"cpu-us", "µs of the server's core a handshake", nil}}
		return []row{
			{"new sessions", load("new"), handshakes},
			{"resumed sessions", load("resumed"), append(handshakes, metric{"resumed-share", "share that was resumed", nil})},
			{"bulk", load("bulk"), []metric{{"mb/s", "MB/s", nil}}},
		}
	},
}
