package aiofile_test

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// A message of 64 bytes goes through one pipe and comes back through another.
func BenchmarkPipeEcho(b *testing.B) {
	echo := func(b *testing.B, there io.Writer, back io.Reader) {
		buf := make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := there.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(back, buf); err != nil {
				b.Fatal(err)
			}
		}
	}
	answer := func(w io.Writer, r io.Reader) {
		buf := make([]byte, 64)
		for {
			n, err := r.Read(buf)
			if err != nil {
				return
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return
			}
		}
	}
	b.Run("coroutines", func(b *testing.B) {
		err := asyncio.Run(context.Background(), func(ctx context.Context) error {
			r, there := openPipe(b, ctx)
			back, w := openPipe(b, ctx)
			defer there.Close()
			asyncio.Go(ctx, func(context.Context) error { answer(w, r); return nil })
			echo(b, there, back)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
	b.Run("os.Pipe on goroutines", func(b *testing.B) {
		r, there, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		back, w, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { answer(w, r); close(ended) }()
		echo(b, there, back)
		there.Close()
		<-ended
		for _, f := range []*os.File{r, back, w} {
			f.Close()
		}
	})
}

var _ io.ReadWriteCloser = (*aiofile.Pipe)(nil)
