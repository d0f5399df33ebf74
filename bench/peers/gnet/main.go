// Command gnet is the echo server on panjf2000/gnet, an event loop library for Go
// with callbacks. Usage: gnet PORT
package main

import (
	"log"
	"os"

	"github.com/go-asyncio/asyncio/bench/internal/measure"
	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
)

func main() {
	measure.MemoryOnSignal()
	// One event loop is the library's default. It would log each connection that is reset.
	log.Fatal(gnet.Run(&server{}, "tcp://127.0.0.1:"+os.Args[1], gnet.WithLogLevel(logging.FatalLevel)))
}

type server struct{ gnet.BuiltinEventEngine }

func (*server) OnTraffic(conn gnet.Conn) gnet.Action {
	message, err := conn.Next(-1)
	if err != nil {
		return gnet.Close
	}
	if _, err := conn.Write(message); err != nil {
		return gnet.Close
	}
	return gnet.None
}
