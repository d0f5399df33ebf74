package aionet_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// A server that answers each datagram, and a client that asks until there is an answer: a datagram may be lost.
func ExampleDialPacket() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		server, err := aionet.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		asyncio.Go(ctx, func(context.Context) error {
			buf := make([]byte, 1500)
			for {
				n, from, err := server.ReadFromUDPAddrPort(buf)
				if err != nil {
					return nil // the loop is ending
				}
				_, _ = server.WriteToUDPAddrPort(append(buf[:n], '!'), from) // who gets no answer asks again
			}
		})

		client, err := aionet.DialPacket(ctx, "udp", server.LocalAddr().String())
		if err != nil {
			return err
		}
		defer client.Close()
		buf := make([]byte, 1500)
		for range 3 {
			err = asyncio.Timeout(ctx, time.Second, func(context.Context) error {
				if _, err := client.Write([]byte("hello")); err != nil {
					return err
				}
				n, err := client.Read(buf)
				fmt.Println(string(buf[:n]))
				return err
			})
			if err == nil {
				break
			}
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello!
}

func ExampleInterleave() {
	var addrs []netip.Addr
	for _, a := range []string{"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"} {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	fmt.Println(aionet.Interleave(addrs, 1))
	// Output: [2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2]
}

// table is a resolver that knows its names by heart.
type table map[string]netip.Addr

func (t table) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	fmt.Println("looking up", host)
	return []netip.Addr{t[host]}, nil
}

// Within a minute a name is looked up once.
func ExampleNewCachingResolver() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		names := table{"printer.test": netip.MustParseAddr("192.0.2.9")}
		r := aionet.NewCachingResolver(names, time.Minute, 0, 1000)
		for range 2 {
			ips, err := aionet.LookupNetIP(ctx, "ip", "printer.test", aionet.WithResolver(r))
			if err != nil {
				return err
			}
			fmt.Println(ips)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// looking up printer.test
	// [192.0.2.9]
	// [192.0.2.9]
}
