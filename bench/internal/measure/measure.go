// Package measure takes the numbers inside a Go contender and prints them as
// "name value" lines, the form in which every contender reports to the harness.
package measure

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// atLeast is how long a measurement is repeated.
const atLeast = time.Second / 2

// Ops calls fn, which does n operations, again and again after a warm-up and
// prints the median time and the mean allocations of one operation.
func Ops(n int, fn func()) {
	fn()
	var times []float64
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for begin := time.Now(); len(times) < 3 || time.Since(begin) < atLeast; {
		start := time.Now()
		fn()
		times = append(times, float64(time.Since(start))/float64(n))
	}
	runtime.ReadMemStats(&after)
	slices.Sort(times)
	fmt.Printf("ns %.1f\n", times[len(times)/2])
	fmt.Printf("allocs %.2f\n", float64(after.Mallocs-before.Mallocs)/float64(n*len(times)))
	fmt.Printf("bytes %.0f\n", float64(after.TotalAlloc-before.TotalAlloc)/float64(n*len(times)))
}

// Timed is Ops for an fn that prepares something first and takes the time of the
// rest itself. It prints the time only.
func Timed(n int, fn func() time.Duration) {
	fn()
	var times []float64
	for begin := time.Now(); len(times) < 3 || time.Since(begin) < atLeast; {
		runtime.GC() // of what fn left behind the last time
		times = append(times, float64(fn())/float64(n))
	}
	slices.Sort(times)
	fmt.Printf("ns %.1f\n", times[len(times)/2])
}

// Items calls fn, which starts n items that stay alive, and prints the time and
// the memory that one of them took: resident at the end of the start, and on heap
// and stacks after a garbage collection.
func Items(n int, fn func()) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	resident, start := Resident(), time.Now()
	fn()
	took := time.Since(start)
	resident = Resident() - resident
	runtime.GC()
	runtime.ReadMemStats(&after)
	live := after.HeapAlloc + after.StackInuse - before.HeapAlloc - before.StackInuse
	fmt.Printf("ns %.0f\n", float64(took)/float64(n))
	fmt.Printf("rss-bytes %.0f\n", float64(resident)/float64(n))
	fmt.Printf("live-bytes %.0f\n", float64(live)/float64(n))
}

// Resident returns the memory that the process has in use, in bytes.
func Resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		panic(err)
	}
	return pages * os.Getpagesize()
}
