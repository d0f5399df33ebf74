//go:build unix

package engine

import (
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// quit is the program's hold on SIGQUIT, which is there while any loop runs that
// wants it, and none has a handler for the signal. The first one writes the dump
// of all loops, lets the signal go and sends it again: so the program ends as Go
// programs do, with the stacks of its goroutines.
var quit struct {
	sync.Mutex
	runs    int
	handled int // handlers that loops have for it, which come first
	arrived chan os.Signal
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
		go dumpAtQuit(quit.arrived)
		holdQuit()
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

// holdQuit begins or ends the hold as there are handlers. A signal that is
// theirs must not arrive here at all: by the time it is looked at they may be
// gone.
func holdQuit() {
	switch {
	case quit.runs == 0:
	case quit.handled == 0:
		signal.Notify(quit.arrived, syscall.SIGQUIT)
	default:
		signal.Stop(quit.arrived)
	}
}

func dumpAtQuit(arrived chan os.Signal) {
	for range arrived {
		_, _ = io.WriteString(os.Stderr, DumpAll())
		signal.Stop(arrived)
		_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
	}
}

// countQuit counts the handlers that loops have for SIGQUIT. It is called while
// the handler is told of signals, so that none finds nobody.
func countQuit(sig os.Signal, n int) {
	if sig == syscall.SIGQUIT {
		quit.Lock()
		defer quit.Unlock()
		quit.handled += n
		holdQuit()
	}
}
