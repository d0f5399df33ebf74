package asyncio_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-asyncio/asyncio"
)

// Two loops, and a counter that belongs to the first one. The second one lets it be counted there.
func ExampleRunLoops() {
	counted := 0 // loop 0's: no lock
	err := asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, i int) error {
		for range 1000 {
			_, err := asyncio.CallOn(ctx, asyncio.Loops(ctx)[0], func(context.Context) (int, error) {
				counted++
				return counted, nil
			})
			if err != nil {
				return err
			}
		}
		for i == 0 && counted < 2000 { // the others need this loop
			if err := asyncio.Yield(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(counted, err)
	// Output: 2000 <nil>
}

func ExampleLoops() {
	_ = asyncio.RunLoops(context.Background(), 3, func(ctx context.Context, i int) error {
		if asyncio.Loops(ctx)[i] == asyncio.RunningLoop(ctx) && i == 0 {
			fmt.Println("one of", len(asyncio.Loops(ctx)))
		}
		return nil
	})
	// Output: one of 3
}

func ExampleCallOn() {
	done := errors.New("done")
	err := asyncio.RunLoops(context.Background(), 2, func(ctx context.Context, i int) error {
		if i == 1 {
			return asyncio.Sleep(ctx, asyncio.Forever) // until loop 0 is done
		}
		answer, err := asyncio.CallOn(ctx, asyncio.Loops(ctx)[1], func(ctx context.Context) (string, error) {
			return "from loop 1", asyncio.Yield(ctx)
		})
		fmt.Println(answer, err)
		return done
	})
	fmt.Println(err == done)
	// Output:
	// from loop 1 <nil>
	// true
}
