// Command processes measures how fast aioexec runs processes, so many at a time.
// peers/goprocesses and peers/python/processes.py do the same.
// Usage: processes N
package main

import (
	"context"
	"log"
	"os"
	"strconv"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aioexec"
	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

const processes = 200

func main() {
	defer measure.Profile()()
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	err = asyncio.Run(context.Background(), func(ctx context.Context) error {
		measure.Ops(processes, func() { run(ctx, n) })
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, n int) {
	err := asyncio.Group(ctx, func(_ context.Context, g *asyncio.TaskGroup) error {
		for range n {
			g.Go(func(ctx context.Context) error {
				for range processes / n {
					if err := aioexec.Command("/bin/true").Run(ctx); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}
