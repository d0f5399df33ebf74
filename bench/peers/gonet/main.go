// Command gonet is the echo server as package net is used: a goroutine for each
// connection. Usage: gonet tcp|tls|udp PORT SIZE, the size of each buffer
package main

import (
	"crypto/tls"
	"log"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

func main() {
	measure.MemoryOnSignal()
	mode, address := os.Args[1], "127.0.0.1:"+os.Args[2]
	size, err := strconv.Atoi(os.Args[3])
	must(err)
	if mode == "udp" {
		echoPackets(address, size)
		return
	}
	listener, err := net.Listen("tcp", address)
	must(err)
	if mode == "tls" {
		certificate, err := tls.LoadX509KeyPair("build/cert.pem", "build/key.pem")
		must(err)
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	for {
		conn, err := listener.Accept()
		must(err)
		go echo(conn, size)
	}
}

func echo(conn net.Conn, size int) {
	defer conn.Close()
	buffer := make([]byte, size)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// echoPackets uses the methods that do not allocate.
func echoPackets(address string, size int) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	must(err)
	buffer := make([]byte, size)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		must(err)
		_, err = conn.WriteToUDPAddrPort(buffer[:n], from)
		must(err)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
