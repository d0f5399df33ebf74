// Command files measures what is read by aiofile. peers/gofiles and
// peers/python/files.py do the same by the same names.
//
// Usage: files cached|large|small DIR
//
// DIR has the files "large", of 1 MiB, and "0" to "999", of 4 KiB each.
package main

import (
	"context"
	"log"
	"os"
	"path/filepath"
	"strconv"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

const (
	block  = 4 << 10
	blocks = 256 // of the large file
	files  = 1000
)

func main() {
	defer measure.Profile()()
	what, dir := os.Args[1], os.Args[2]
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		switch what {
		case "cached":
			return cached(ctx, filepath.Join(dir, "large"))
		case "large":
			measure.Ops(1, func() { must(read(ctx, filepath.Join(dir, "large"))) })
		case "small":
			measure.Ops(files, func() { small(ctx, dir) })
		default:
			log.Fatalf("files: no such measurement: %s", what)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// cached reads one block after the other of an open file.
func cached(ctx context.Context, name string) error {
	file, err := aiofile.Open(ctx, name)
	if err != nil {
		return err
	}
	defer file.Close()
	buffer := make([]byte, block)
	measure.Ops(blocks, func() {
		for i := range int64(blocks) {
			_, err := file.ReadAt(buffer, i*block)
			must(err)
		}
	})
	return nil
}

func read(ctx context.Context, name string) error {
	_, err := aiofile.ReadFile(ctx, name)
	return err
}

// small reads all small files at once.
func small(ctx context.Context, dir string) {
	must(asyncio.Group(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
		for i := range files {
			g.Go(func(ctx context.Context) error { return read(ctx, filepath.Join(dir, strconv.Itoa(i))) })
		}
		return nil
	}))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
