package aionet_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aionet"
)

func BenchmarkReadLine(b *testing.B) {
	const line = "a line of some length that is usual in text protocols of all kinds\n"
	b.Run("Reader", func(b *testing.B) {
		r := aionet.NewReader(&endless{line: line})
		b.ReportAllocs()
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			if _, err := r.ReadLine(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bufio", func(b *testing.B) {
		r := bufio.NewReader(&endless{line: line})
		b.ReportAllocs()
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			if _, err := r.ReadBytes('\n'); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func onLoop(b *testing.B, main func(ctx context.Context) error) {
	b.Helper()
	if err := asyncio.Run(context.Background(), main); err != nil {
		b.Fatal(err)
	}
}

// Eight writes of 64 bytes and a flush, to a peer that reads.
func BenchmarkWriter(b *testing.B) {
	message := make([]byte, 64)
	bench := func(write func(ctx context.Context, c *aionet.Conn) (write func([]byte) (int, error), flush func() error)) func(b *testing.B) {
		return func(b *testing.B) {
			onLoop(b, func(ctx context.Context) error {
				out, in := pipe(b, ctx, "tcp")
				buf := make([]byte, 8*64)
				write, flush := write(ctx, out)
				b.ReportAllocs()
				for b.Loop() {
					for range 8 {
						if _, err := write(message); err != nil {
							return err
						}
					}
					if err := flush(); err != nil {
						return err
					}
					if _, err := io.ReadFull(in, buf); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	b.Run("Writer", bench(func(ctx context.Context, c *aionet.Conn) (func([]byte) (int, error), func() error) {
		w := aionet.NewWriter(ctx, c)
		return w.Write, func() error { return w.Drain(ctx) }
	}))
	b.Run("bufio", bench(func(_ context.Context, c *aionet.Conn) (func([]byte) (int, error), func() error) {
		w := bufio.NewWriter(c)
		return w.Write, w.Flush
	}))
	b.Run("unbuffered", bench(func(_ context.Context, c *aionet.Conn) (func([]byte) (int, error), func() error) {
		return c.Write, func() error { return nil }
	}))
}

// A header and a body of 64 KiB each: what writev could save is the copy.
func BenchmarkWriterLarge(b *testing.B) {
	head, body := make([]byte, 200), make([]byte, 64<<10)
	onLoop(b, func(ctx context.Context) error {
		out, in := pipe(b, ctx, "tcp")
		w := aionet.NewWriter(ctx, out)
		reader := asyncio.Go(ctx, func(context.Context) error {
			_, err := io.Copy(io.Discard, in)
			return err
		})
		b.SetBytes(int64(len(head) + len(body)))
		for b.Loop() {
			if _, err := w.Writev(head, body); err != nil {
				return err
			}
			if err := w.Drain(ctx); err != nil {
				return err
			}
		}
		w.Close()
		_, err := reader.Await(ctx)
		return err
	})
}

func BenchmarkTLSHandshake(b *testing.B) {
	server, client := serverConfig(), clientConfig()
	b.Run("aionet", func(b *testing.B) {
		onLoop(b, func(ctx context.Context) error {
			ln, err := aionet.ListenTLS(ctx, "tcp", "127.0.0.1:0", server)
			if err != nil {
				return err
			}
			serving := asyncio.Go(ctx, func(ctx context.Context) error {
				return aionet.Serve(ctx, ln, func(context.Context, net.Conn) error { return nil })
			})
			for b.Loop() {
				c, err := aionet.DialTLS(ctx, "tcp", ln.Addr().String(), client)
				if err != nil {
					return err
				}
				_, _ = c.Read(make([]byte, 1))
				c.Close()
			}
			serving.Cancel()
			_, _ = serving.Await(ctx)
			return nil
		})
	})
	b.Run("goroutines", func(b *testing.B) {
		ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
		if err != nil {
			b.Fatal(err)
		}
		defer ln.Close()
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					_ = c.(*tls.Conn).Handshake()
					c.Close()
				}()
			}
		}()
		for b.Loop() {
			c, err := tls.Dial("tcp", ln.Addr().String(), client)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = c.Read(make([]byte, 1))
			c.Close()
		}
	})
}

func BenchmarkTLSBulk(b *testing.B) {
	chunk := make([]byte, 64<<10)
	onTLS := func(over func(net.Conn) net.Conn) func(b *testing.B) {
		return func(b *testing.B) {
			onLoop(b, func(ctx context.Context) error {
				x, y := pipe(b, ctx, "tcp")
				c, s := startBoth(b, ctx, over(x), over(y), clientConfig(), serverConfig())
				reader := asyncio.Go(ctx, func(context.Context) error {
					_, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{s}, make([]byte, 64<<10))
					return err
				})
				b.SetBytes(int64(len(chunk)))
				for b.Loop() {
					if _, err := c.Write(chunk); err != nil {
						return err
					}
				}
				c.Close()
				_, err := reader.Await(ctx)
				return err
			})
		}
	}
	b.Run("aionet", onTLS(func(c net.Conn) net.Conn { return c }))
	b.Run("aionet over another connection", onTLS(func(c net.Conn) net.Conn { return wrapped{c} }))
	b.Run("goroutines", func(b *testing.B) {
		ln, err := tls.Listen("tcp", "127.0.0.1:0", serverConfig())
		if err != nil {
			b.Fatal(err)
		}
		defer ln.Close()
		done := make(chan error, 1)
		go func() {
			c, err := ln.Accept()
			if err == nil {
				_, err = io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{c}, make([]byte, 64<<10))
			}
			done <- err
		}()
		c, err := tls.Dial("tcp", ln.Addr().String(), clientConfig())
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(chunk)))
		for b.Loop() {
			if _, err := c.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
		c.Close()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	})
}

// onlyWriter and onlyReader have no methods by which io.Copy would take another way.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)
