// Command netpoll is the echo server on cloudwego/netpoll, an event loop library
// for Go with callbacks. Usage: netpoll PORT
package main

import (
	"context"
	"log"
	"os"

	"github.com/cloudwego/netpoll"
	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

func main() {
	measure.MemoryOnSignal()
	// One core: one poller, as the library's own default would be there.
	if err := netpoll.Configure(netpoll.Config{PollerNum: 1}); err != nil {
		log.Fatal(err)
	}
	listener, err := netpoll.CreateListener("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	loop, err := netpoll.NewEventLoop(echo)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(loop.Serve(listener))
}

func echo(_ context.Context, conn netpoll.Connection) error {
	reader, writer := conn.Reader(), conn.Writer()
	message, err := reader.Next(reader.Len())
	if err != nil {
		return err
	}
	if _, err := writer.WriteBinary(message); err != nil {
		return err
	}
	if err := writer.Flush(); err != nil {
		return err
	}
	return reader.Release()
}
