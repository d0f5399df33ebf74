// Command udp is the UDP echo server on aionet: one coroutine, one socket, one
// buffer. Interrupt ends it. Usage: udp PORT SIZE
package main

import (
	"context"
	"log"
	"os"
	"strconv"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

func main() {
	defer measure.Profile()()
	size, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	err = asyncio.Run(context.Background(), func(ctx context.Context) error {
		conn, err := aionet.ListenPacket(ctx, "udp4", "127.0.0.1:"+os.Args[1])
		if err != nil {
			return err
		}
		return echo(conn, make([]byte, size))
	})
	if err != nil {
		log.Print(err)
	}
}

func echo(conn *aionet.PacketConn, buffer []byte) error {
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return err
		}
		if _, err := conn.WriteToUDPAddrPort(buffer[:n], from); err != nil {
			return err
		}
	}
}
