// Command echo is the echo server on aionet: a coroutine for each connection,
// which reads and writes a net.Conn. Interrupt ends it. Usage: echo PORT
package main

import (
	"context"
	"log"
	"net"
	"os"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

func main() {
	defer measure.Profile()()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := aionet.Listen(ctx, "tcp", "127.0.0.1:"+os.Args[1])
		if err != nil {
			return err
		}
		return aionet.Serve(ctx, listener, echo)
	})
	if err != nil {
		log.Print(err)
	}
}

func echo(_ context.Context, conn net.Conn) error {
	buffer := make([]byte, 512)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil // the client has gone
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return nil
		}
	}
}
