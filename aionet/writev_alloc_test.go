//go:build linux && !race

package aionet_test

import (
	"context"
	"io"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

func TestWritev_allocatesNothing(t *testing.T) {
	onEachTransport(t, func(t *testing.T, ctx context.Context, network string) {
		if engine.Unwrap(asyncio.RunningLoop(ctx)).Poller().Name() == "portable" {
			return // it starts goroutines
		}
		a, b := pipe(t, ctx, network)
		head, body, got := make([]byte, 10), make([]byte, 1000), make([]byte, 1010)
		allocs := testing.AllocsPerRun(100, func() {
			_, err := a.Writev(head, body)
			must(t, err)
			_, err = io.ReadFull(b, got)
			must(t, err)
		})
		if allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
	})
}
