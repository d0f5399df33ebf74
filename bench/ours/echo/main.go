// Command echo is the echo server on aionet. Interrupt ends it.
//
// Usage: echo streams|protocols|tls PORT SIZE
//
// A coroutine for each connection reads and writes a net.Conn by a buffer of that
// size; protocols are called back.
package main

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"os"
	"strconv"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

func main() {
	defer measure.Profile()()
	measure.MemoryOnSignal()
	mode, address := os.Args[1], "127.0.0.1:"+os.Args[2]
	size, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	err = asyncio.Run(context.Background(), func(ctx context.Context) error { return serve(ctx, mode, address, size) })
	if err != nil {
		log.Print(err)
	}
}

func serve(ctx context.Context, mode, address string, size int) error {
	var listener *aionet.Listener
	var err error
	if mode == "tls" {
		certificate, err := tls.LoadX509KeyPair("build/cert.pem", "build/key.pem")
		if err != nil {
			return err
		}
		listener, err = aionet.ListenTLS(ctx, "tcp", address, &tls.Config{Certificates: []tls.Certificate{certificate}})
		if err != nil {
			return err
		}
	} else if listener, err = aionet.Listen(ctx, "tcp", address); err != nil {
		return err
	}
	if mode == "protocols" {
		return aionet.ServeProtocol(ctx, listener, func() aionet.Protocol { return &protocol{} })
	}
	return aionet.Serve(ctx, listener, func(_ context.Context, conn net.Conn) error {
		buffer := make([]byte, size)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return nil // the client has gone
			}
			if _, err := conn.Write(buffer[:n]); err != nil {
				return nil
			}
		}
	})
}

type protocol struct {
	aionet.BaseProtocol
	transport aionet.Transport
}

func (p *protocol) ConnectionMade(t aionet.Transport) { p.transport = t }
func (p *protocol) DataReceived(b []byte)             { _, _ = p.transport.Write(b) } // an error comes as ConnectionLost
