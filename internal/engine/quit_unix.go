//go:build unix

package engine

import (
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
)

// quit is the program's hold on SIGQUIT, which is there while any loop runs that
// wants it. The first one writes the dump of all loops, lets the signal go and
// sends it again: so the program ends as Go programs do, with the stacks of its
// goroutines.
var quit struct {
	sync.Mutex
	runs    int
	arrived chan os.Signal
	handled atomic.Int32 // handlers that loops have for it, which come first
}

// onQuit begins the hold, and stop ends it. A program that was started with the
// signal ignored goes on ignoring it.
func (l *Loop) onQuit() (stop func()) {
	if !l.QuitDump || signal.Ignored(syscall.SIGQUIT) {
		return func() {}
	}
	quit.Lock()
	defer quit.Unlock()
	if quit.runs++; quit.runs == 1 {
		quit.arrived = make(chan os.Signal, 1)
		signal.Notify(quit.arrived, syscall.SIGQUIT)
		go dumpAtQuit(quit.arrived)
	}
	return func() {
		quit.Lock()
		defer quit.Unlock()
		if quit.runs--; quit.runs == 0 {
			signal.Stop(quit.arrived)
			close(quit.arrived)
		}
	}
}

func dumpAtQuit(arrived chan os.Signal) {
	for range arrived {
		if quit.handled.Load() > 0 {
			continue
		}
		_, _ = io.WriteString(os.Stderr, DumpAll())
		signal.Stop(arrived)
		_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
	}
}

// countQuit counts the handlers that loops have for SIGQUIT.
func countQuit(sig os.Signal, n int32) {
	if sig == syscall.SIGQUIT {
		quit.handled.Add(n)
	}
}
