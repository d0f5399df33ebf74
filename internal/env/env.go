package env

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"os/signal"
	"time"

	"github.com/go-asyncio/asyncio/internal/pipe"
	"github.com/go-asyncio/asyncio/internal/poller"
)

// An Env is what a loop gets from outside. All fields but Clock and Roots are set: to replace one, copy [Real]. Loops
// may share an Env, and any goroutine may use it, unless a field says otherwise.
type Env struct {
	// Clock is the time of the loops that have this Env; nil: the system's. A loop whose own clock is virtual may have an
	// Env without Clock: its timers run on its clock, and the system, as far as goroutines wait in it, on the real one.
	Clock *Clock

	// Rand returns a new source of random numbers for a purpose. It belongs to the loop that asks.
	Rand func(Purpose) Random

	// Poller returns the connection of a loop to the network; name is as in poller.New.
	Poller func(name string) (poller.Poller, error)

	// Names returns who looks names up.
	Names func() Names

	// Roots are the certificates (DER) of those whom TLS trusts where a configuration does not say; nil: whom the system
	// trusts. With a Clock, TLS also takes the time from it, and random numbers from Rand.
	Roots [][]byte

	// Inherited returns what a service manager has opened for the program, and nothing when it is called again.
	Inherited func() ([]Inherited, error)

	// Go starts a goroutine. What watches the loop in real time has others.
	Go func(kind Goroutine, fn func())

	Files     Files
	Pipes     Pipes
	Signals   Signals
	Processes Processes
}

// Names looks names up. Those of a *net.Resolver, which block, are called in threads, and any other's on the loop, in the
// coroutine that wants to know.
type Names interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
	LookupPort(ctx context.Context, network, service string) (port int, err error)
}

// Real returns the system. It is the caller's to change.
func Real() *Env {
	return &Env{
		Rand:      unpredictable,
		Poller:    poller.New,
		Names:     func() Names { return net.DefaultResolver },
		Inherited: inherited,
		Go:        start,

		Files:     disks{},
		Pipes:     pipe.System{},
		Signals:   Signals{Notify: notify, Ignored: signal.Ignored},
		Processes: Processes{Start: (*exec.Cmd).Start, Wait: (*exec.Cmd).Wait, Watch: watchProcess, Signal: signalProcess},
	}
}

// Now returns the wall-clock time of the environment. It is for what happens in the environment, as the deadline of a
// goroutine that waits in a socket is; tasks live on the clock of their loop.
func (e *Env) Now() time.Time {
	if e.Clock != nil {
		return e.Clock.Wall()
	}
	return time.Now()
}
