package measure

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// MemoryOnSignal prints the memory on heap and stacks after a garbage collection,
// each time that the process is sent SIGUSR1.
func MemoryOnSignal() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC() // what the first one has found to be free only counts now
			runtime.ReadMemStats(&m)
			fmt.Printf("live-bytes %d\n", m.HeapAlloc+m.StackInuse)
		}
	}()
}
