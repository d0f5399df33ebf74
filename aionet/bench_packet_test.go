package aionet_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// An echo of 64 bytes over UDP, server and client on one loop.
func BenchmarkPacketConn_echo(b *testing.B) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		server, client := packets(b, ctx, "udp"), packets(b, ctx, "udp")
		to := netip.MustParseAddrPort(server.LocalAddr().String())
		asyncio.Go(ctx, func(context.Context) error {
			buf := make([]byte, 2000)
			for {
				n, from, err := server.ReadFromUDPAddrPort(buf)
				if err != nil {
					return nil
				}
				if _, err := server.WriteToUDPAddrPort(buf[:n], from); err != nil {
					return err
				}
			}
		})
		data, buf := make([]byte, 64), make([]byte, 2000)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := client.WriteToUDPAddrPort(data, to); err != nil {
				return err
			}
			if _, _, err := client.ReadFromUDPAddrPort(buf); err != nil {
				return err
			}
		}
		return server.Close()
	})
	if err != nil {
		b.Fatal(err)
	}
}

// The same with package net, on two goroutines.
func BenchmarkPacketConn_echoOfPackageNet(b *testing.B) {
	open := func() *net.UDPConn {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		return c
	}
	server, client := open(), open()
	to := server.LocalAddr().(*net.UDPAddr).AddrPort()
	go func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := server.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = server.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	data, buf := make([]byte, 64), make([]byte, 2000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.WriteToUDPAddrPort(data, to); err != nil {
			b.Fatal(err)
		}
		if _, _, err := client.ReadFromUDPAddrPort(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// Bursts of 64 datagrams to oneself: what one costs without any waiting.
func BenchmarkPacketConn_burst(b *testing.B) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		c := packets(b, ctx, "udp")
		return burst(b, c, netip.MustParseAddrPort(c.LocalAddr().String()))
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkPacketConn_burstOfPackageNet(b *testing.B) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := burst(b, c, c.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
		b.Fatal(err)
	}
}

func burst(b *testing.B, c interface {
	ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
}, to netip.AddrPort) error {
	const size = 64
	data, buf := make([]byte, 64), make([]byte, 2000)
	b.ReportAllocs()
	for b.Loop() {
		for range size {
			if _, err := c.WriteToUDPAddrPort(data, to); err != nil {
				return err
			}
		}
		for range size {
			if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
				return err
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/packet")
	return nil
}
