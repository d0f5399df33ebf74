//go:build unix

package aioexec_test

import (
	"context"
	"os/exec"
	"sync"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
)

func BenchmarkRun(b *testing.B) {
	b.ReportAllocs()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		for range b.N {
			if err := aioexec.Command("/bin/true").Run(ctx); err != nil {
				b.Error(err)
			}
		}
		return nil
	})
}

func BenchmarkRunGoroutine(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Error(err)
		}
	}
}

func BenchmarkRun100AtOnce(b *testing.B) {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		for range b.N {
			asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for range 100 {
					g.Go(aioexec.Command("/bin/true").Run)
				}
				return nil
			})
		}
		return nil
	}, asyncio.WithWatchdog(0))
}

func BenchmarkRun100AtOnceGoroutines(b *testing.B) {
	for range b.N {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { exec.Command("/bin/true").Run() })
		}
		all.Wait()
	}
}
