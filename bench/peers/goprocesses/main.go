// Command goprocesses does what ours/processes does with os/exec and goroutines.
// Usage: goprocesses N
package main

import (
	"log"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"github.com/go-asyncio/asyncio/bench/internal/measure"
)

const processes = 200

func main() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	measure.Ops(processes, func() { run(n) })
}

func run(n int) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for range processes / n {
				if err := exec.Command("/bin/true").Run(); err != nil {
					log.Fatal(err)
				}
			}
		})
	}
	all.Wait()
}
