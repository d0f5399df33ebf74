// Command gofiles does what ours/files does with package os and goroutines.
// Usage: gofiles cached|large|small DIR
package main

import (
	"log"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

const (
	block  = 4 << 10
	blocks = 256 // of the large file
	files  = 1000
)

func main() {
	what, dir := os.Args[1], os.Args[2]
	switch what {
	case "cached":
		cached(filepath.Join(dir, "large"))
	case "large":
		measure.Ops(1, func() { read(filepath.Join(dir, "large")) })
	case "small":
		measure.Ops(files, func() { small(dir) })
	default:
		log.Fatalf("gofiles: no such measurement: %s", what)
	}
}

func cached(name string) {
	file, err := os.Open(name)
	must(err)
	defer file.Close()
	buffer := make([]byte, block)
	measure.Ops(blocks, func() {
		for i := range int64(blocks) {
			_, err := file.ReadAt(buffer, i*block)
			must(err)
		}
	})
}

func read(name string) {
	_, err := os.ReadFile(name)
	must(err)
}

func small(dir string) {
	var all sync.WaitGroup
	for i := range files {
		all.Go(func() { read(filepath.Join(dir, strconv.Itoa(i))) })
	}
	all.Wait()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
