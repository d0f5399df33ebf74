package lowlevel_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// A Gate lets tasks through while it is open.
type Gate struct {
	open    bool
	waiters lowlevel.WaitQueue
}

func (g *Gate) Open() {
	g.open = true
	g.waiters.WakeAll()
}

func (g *Gate) WaitName() string          { return "a Gate" }
func (g *Gate) Try() (bool, error)        { return g.open, nil }
func (g *Gate) Line() *lowlevel.WaitQueue { return &g.waiters }
func (g *Gate) Woken() (bool, error)      { return true, nil }

// A primitive of one's own is selected beside those of the library.
func ExampleCase() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var gate Gate
		asyncio.RunningLoop(ctx).CallLater(90*time.Second, gate.Open)
		passes, patience := lowlevel.Case(&gate), asyncio.Sleeping(time.Minute)
		for {
			switch chosen, err := asyncio.Select(ctx, passes, patience); chosen {
			case passes:
				fmt.Println("through at", asyncio.RunningLoop(ctx).Time())
				return nil
			case patience:
				fmt.Println("still waiting at", asyncio.RunningLoop(ctx).Time())
			default:
				return err
			}
		}
	}, asyncio.WithVirtualClock())
	// Output:
	// still waiting at 1m0s
	// through at 1m30s
}
