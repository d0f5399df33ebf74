package asyncio_test

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/lowlevel"
)

// bell is something outside the loop that rings.
type bell struct {
	source lowlevel.Source
	rung   asyncio.Event
}

func (b *bell) Turn() {
	fmt.Println("ding")
	b.rung.Set()
}

func (b *bell) Failed(err error) { fmt.Println(err) }

// What comes from outside has its turn beside the tasks; many events that come at once are one.
func ExampleSource() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		b := new(bell)
		b.source.Open(asyncio.RunningLoop(ctx), b)
		defer b.source.Close()
		b.source.Ready()
		b.source.Ready()
		return b.rung.Wait(ctx)
	})
	// Output: ding
}
