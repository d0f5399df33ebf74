// Command gohttp makes requests with http.Transport on goroutines.
// Usage: gohttp URL CONCURRENCY REQUESTS
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

func main() {
	url := os.Args[1]
	concurrency, _ := strconv.Atoi(os.Args[2])
	requests, _ := strconv.Atoi(os.Args[3])
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: concurrency, DisableCompression: true}}
	run := func(requests int) {
		var wg sync.WaitGroup
		for range concurrency {
			wg.Go(func() {
				for range requests / concurrency {
					if err := measure.Get(context.Background(), client, url); err != nil {
						log.Fatal(err)
					}
				}
			})
		}
		wg.Wait()
	}
	run(requests / 10) // warm-up
	start := time.Now()
	run(requests)
	measure.Requests(requests/concurrency*concurrency, time.Since(start))
}
