package aionet_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

// Parts that go out together: by Writev, joined before a Write, and by a Write each. The peer reads in another loop.
func BenchmarkWritev(b *testing.B) {
	for _, parts := range []struct{ count, size int }{{2, 64}, {8, 64}, {2, 1 << 10}, {8, 1 << 10}, {2, 8 << 10}, {8, 8 << 10}, {2, 64 << 10}, {64, 16 << 10}} {
		vector := make([][]byte, parts.count)
		for i := range vector {
			vector[i] = make([]byte, parts.size)
		}
		var joined []byte
		for _, way := range []struct {
			name  string
			write func(c *aionet.Conn) error
		}{
			{"Writev", func(c *aionet.Conn) error {
				_, err := c.Writev(vector...)
				return err
			}},
			{"joined", func(c *aionet.Conn) error {
				joined = joined[:0]
				for _, p := range vector {
					joined = append(joined, p...)
				}
				_, err := c.Write(joined)
				return err
			}},
			{"each", func(c *aionet.Conn) error {
				for _, p := range vector {
					if _, err := c.Write(p); err != nil {
						return err
					}
				}
				return nil
			}},
		} {
			b.Run(fmt.Sprintf("%dx%d/%s", parts.count, parts.size, way.name), func(b *testing.B) {
				onLoop(b, func(ctx context.Context) error { return benchWrites(b, ctx, parts.count*parts.size, way.write) })
			})
		}
	}
}

func benchWrites(b *testing.B, ctx context.Context, size int, write func(c *aionet.Conn) error) error {
	c, peer := pipe(b, ctx, "unix")
	buf := make([]byte, size)
	reading := asyncio.Go(ctx, func(context.Context) error {
		_, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{peer}, buf)
		return err
	})
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		if err := write(c); err != nil {
			return err
		}
	}
	c.Close()
	_, err := reading.Await(ctx)
	return err
}
