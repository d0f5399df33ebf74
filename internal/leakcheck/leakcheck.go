package leakcheck

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"go.uber.org/goleak"
)

// grace is how long goroutines and descriptors that are just ending may take.
const grace = 2 * time.Second

// Main runs the tests and exits: with their code if they failed, with 1 and a list
// of what leaked if they left something behind, else with 0. The argument is the
// *testing.M of TestMain.
func Main(m interface{ Run() int }) {
	before := takeSnapshot()
	code := m.Run()
	if code == 0 && !fuzzing() {
		if err := before.leaks(grace); err != nil {
			fmt.Fprintf(os.Stderr, "leakcheck: the tests passed, but left behind:\n%v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

// fuzzing reports whether this process is a fuzzing coordinator or worker.
func fuzzing() bool {
	for _, name := range []string{"test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return true
		}
	}
	return false
}

// snapshot is what existed before the tests ran.
type snapshot struct {
	goroutines  goleak.Option
	descriptors map[string]string
}

func takeSnapshot() snapshot {
	startNetpoller()
	return snapshot{goroutines: goleak.IgnoreCurrent(), descriptors: openDescriptors()}
}

// startNetpoller makes the runtime open its epoll descriptor now: it does so on the
// first pipe or socket and keeps it for ever, which would look like a leak.
func startNetpoller() {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
}

// leaks waits up to the given time for everything newer than the snapshot to end,
// and describes what did not. It is nil when nothing is left.
func (s snapshot) leaks(wait time.Duration) error {
	for deadline := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		err := errors.Join(goleak.Find(s.goroutines), s.leakedDescriptors())
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// leakedDescriptors lists the descriptors that the snapshot does not have.
func (s snapshot) leakedDescriptors() error {
	var leaked []string
	for fd, target := range openDescriptors() {
		if s.descriptors[fd] != target {
			leaked = append(leaked, fmt.Sprintf("descriptor %s: %s", fd, target))
		}
	}
	if len(leaked) == 0 {
		return nil
	}
	sort.Strings(leaked)
	return errors.New(strings.Join(leaked, "\n"))
}

// openDescriptors maps the number of each open descriptor to what it refers to, such
// as "socket:[4711]". It is empty where /proc/self/fd does not exist.
func openDescriptors() map[string]string {
	const dir = "/proc/self/fd"
	open := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return open
	}
	for _, entry := range entries {
		// The descriptor that ReadDir used is gone by now: Readlink fails for it.
		if target, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil {
			open[entry.Name()] = target
		}
	}
	return open
}
