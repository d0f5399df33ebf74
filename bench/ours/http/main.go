// Command http makes requests with aiohttp.Transport in coroutines.
// Usage: http URL CONCURRENCY REQUESTS
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiohttp"
	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

func main() {
	defer measure.Profile()()
	url := os.Args[1]
	concurrency, _ := strconv.Atoi(os.Args[2])
	requests, _ := strconv.Atoi(os.Args[3])
	client := &http.Client{Transport: &aiohttp.Transport{DisableCompression: true}}
	run := func(ctx context.Context, requests int) error {
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range concurrency {
				g.Go(func(ctx context.Context) error {
					for range requests / concurrency {
						if err := measure.Get(ctx, client, url); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	}
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		if err := run(ctx, requests/10); err != nil { // warm-up
			return err
		}
		start := time.Now()
		if err := run(ctx, requests); err != nil {
			return err
		}
		measure.Requests(requests/concurrency*concurrency, time.Since(start))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}
