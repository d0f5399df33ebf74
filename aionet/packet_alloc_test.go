//go:build linux && !race

package aionet_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

func TestPacketConn_udpPaths_allocateNothing(t *testing.T) {
	run(t, func(ctx context.Context) error {
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "portable" {
			t.Skip("the portable poller starts goroutines")
		}
		for _, network := range []string{"udp", "udp6"} {
			c := packets(t, ctx, network)
			to := netip.MustParseAddrPort(c.LocalAddr().String())
			data, buf := []byte("twelve bytes"), make([]byte, 100)
			if n := testing.AllocsPerRun(100, func() {
				_, sent := c.WriteToUDPAddrPort(data, to)
				_, from, err := c.ReadFromUDPAddrPort(buf)
				if sent != nil || err != nil || from != to {
					t.Errorf("%v, %v from %v", sent, err, from)
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations", network, n)
			}
		}
		return nil
	})
}
