package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio"
)

// Two conditions on one lock: one for whoever wants something, one for whoever
// wants room.
func ExampleCondition() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		var lock asyncio.Lock
		notEmpty, notFull := asyncio.NewCondition(&lock), asyncio.NewCondition(&lock)
		var shelf []string
		put := func(ctx context.Context, item string) error {
			return notFull.Do(ctx, func() error {
				if err := notFull.WaitFor(ctx, func() bool { return len(shelf) < 1 }); err != nil {
					return err
				}
				shelf = append(shelf, item)
				return notEmpty.Notify(1)
			})
		}
		get := func(ctx context.Context) (item string, err error) {
			err = notEmpty.Do(ctx, func() error {
				if err := notEmpty.WaitFor(ctx, func() bool { return len(shelf) > 0 }); err != nil {
					return err
				}
				item, shelf = shelf[0], shelf[1:]
				return notFull.Notify(1)
			})
			return item, err
		}
		asyncio.Go(ctx, func(ctx context.Context) error {
			for _, item := range []string{"bread", "cheese", "wine"} {
				if err := put(ctx, item); err != nil {
					return err
				}
			}
			return nil
		})
		for range 3 {
			item, err := get(ctx)
			if err != nil {
				return err
			}
			fmt.Println(item)
		}
		return nil
	})
	// Output:
	// bread
	// cheese
	// wine
}

func ExampleBoundedSemaphore() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		defer func() { fmt.Println(recover()) }()
		seats := asyncio.NewBoundedSemaphore(2)
		err := seats.Do(ctx, func() error {
			fmt.Println(seats)
			return nil
		})
		seats.Release() // a bug, which would make a third seat
		return err
	})
	// Output:
	// a BoundedSemaphore (1 of 2 free)
	// asyncio: BoundedSemaphore.Release: none of the 2 permits is out
}

// Nobody starts the second step before all are done with the first.
func ExampleBarrier() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		b := asyncio.NewBarrier(3)
		return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for i := range 3 {
				g.Go(func(ctx context.Context) error {
					asyncio.Sleep(ctx, time.Duration(i)*time.Second)
					fmt.Println("first step")
					index, err := b.Wait(ctx)
					if index == 0 {
						fmt.Println("only one of them")
					}
					fmt.Println("second step")
					return err
				})
			}
			return nil
		})
	}, asyncio.WithVirtualClock())
	// Output:
	// first step
	// first step
	// first step
	// second step
	// only one of them
	// second step
	// second step
}

// A party that fails says so, or else the others would wait for ever.
func ExampleBarrier_Abort() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		b := asyncio.NewBarrier(2)
		asyncio.Go(ctx, func(context.Context) error {
			b.Abort()
			return nil
		})
		_, err := b.Wait(ctx)
		fmt.Println(err, errors.Is(err, asyncio.ErrBrokenBarrier))
		return nil
	})
	// Output: asyncio: the barrier is broken true
}

// Two at once, and two a second from then on.
func ExampleLimiter() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		limit := asyncio.NewLimiter(2, time.Second)
		for i := range 5 {
			if err := limit.Acquire(ctx); err != nil {
				return err
			}
			fmt.Println("request", i, "at", asyncio.RunningLoop(ctx).Time())
		}
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// request 0 at 0s
	// request 1 at 0s
	// request 2 at 500ms
	// request 3 at 1s
	// request 4 at 1.5s
}

// Who cannot have it in time does not wait until then.
func ExampleLimiter_AcquireN() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		bytes := asyncio.NewLimiter(1000, time.Second)
		fmt.Println(bytes.AcquireN(ctx, 1000))
		err := asyncio.Timeout(ctx, 100*time.Millisecond, func(ctx context.Context) error {
			return bytes.AcquireN(ctx, 500)
		})
		fmt.Println(errors.Is(err, context.DeadlineExceeded), asyncio.RunningLoop(ctx).Time())
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// <nil>
	// true 0s
}
