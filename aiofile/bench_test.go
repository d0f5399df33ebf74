package aiofile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// BenchmarkReadAt reads what is in the page cache: on the loop, in its threads, and with package os on a goroutine.
func BenchmarkReadAt(b *testing.B) {
	name := fileWith(b, strings.Repeat("x", 1<<20))
	for _, size := range []int{4 << 10, 64 << 10, aiofile.OnLoop, 1 << 20} {
		p := make([]byte, size)
		for _, how := range []string{"loop", "thread"} {
			b.Run(fmt.Sprintf("%dK/%s", size>>10, how), func(b *testing.B) {
				onLoop(b, func(ctx context.Context) error {
					f := opened(b, ctx, name, os.O_RDONLY)
					if how == "thread" {
						f.Uncached()
					}
					b.ReportAllocs()
					b.ResetTimer()
					for range b.N {
						if _, err := f.ReadAt(p, 0); err != nil {
							return err
						}
					}
					return nil
				})
			})
		}
		b.Run(fmt.Sprintf("%dK/os", size>>10), func(b *testing.B) {
			f, err := os.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			for b.Loop() {
				if _, err := f.ReadAt(p, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReadFile1000 reads 1,000 files of 4 KiB at once.
func BenchmarkReadFile1000(b *testing.B) {
	dir := b.TempDir()
	var names []string
	for i := range 1000 {
		names = append(names, filepath.Join(dir, fmt.Sprint(i)))
		if err := os.WriteFile(names[i], make([]byte, 4<<10), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("coroutines", func(b *testing.B) {
		onLoop(b, func(ctx context.Context) error {
			for range b.N {
				err := asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
					for _, name := range names {
						g.Go(func(ctx context.Context) error { _, err := aiofile.ReadFile(ctx, name); return err })
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("goroutines", func(b *testing.B) {
		for b.Loop() {
			var wg sync.WaitGroup
			for _, name := range names {
				wg.Go(func() {
					if _, err := os.ReadFile(name); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
		}
	})
}
