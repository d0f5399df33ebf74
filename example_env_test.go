package asyncio_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-asyncio/asyncio"
)

// An hour passes on the virtual clock, and Now says so.
func ExampleNow() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		start := asyncio.Now(ctx)
		err := asyncio.Sleep(ctx, time.Hour)
		fmt.Println(asyncio.Now(ctx).Sub(start))
		return err
	}, asyncio.WithVirtualClock())
	// Output: 1h0m0s
}

// A random part in the pause between two tries keeps clients from coming back all
// at once. On a virtual clock the pauses are the same in each run.
func ExampleRand() {
	pauses := func() (all []time.Duration) {
		asyncio.Run(context.Background(), func(ctx context.Context) error {
			for pause := time.Second; pause < time.Minute; pause *= 2 {
				all = append(all, pause+time.Duration(asyncio.Rand(ctx).Int64N(int64(pause))))
			}
			return nil
		}, asyncio.WithVirtualClock())
		return all
	}
	first, second := pauses(), pauses()
	fmt.Println(slices.Equal(first, second))
	// Output: true
}
