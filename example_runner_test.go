package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/go-asyncio/asyncio"
)

// A Runner runs one main function after another; what runs beside them stands
// still in between.
func ExampleRunner() {
	r := asyncio.NewRunner(asyncio.WithVirtualClock())
	defer r.Close()
	ticks := 0
	r.Run(context.Background(), func(ctx context.Context) error {
		asyncio.Go(ctx, func(ctx context.Context) error {
			for asyncio.Sleep(ctx, time.Second) == nil {
				ticks++
			}
			return nil
		})
		return asyncio.Sleep(ctx, 2500*time.Millisecond)
	})
	fmt.Println(ticks)
	r.Run(context.Background(), func(ctx context.Context) error { return asyncio.Sleep(ctx, 3*time.Second) })
	fmt.Println(ticks)
	// Output:
	// 2
	// 5
}

func ExampleLoop_RunForever() {
	loop, err := asyncio.NewLoop(asyncio.WithVirtualClock())
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	loop.CallLater(time.Second, func() { fmt.Println("one second") })
	loop.CallLater(time.Minute, loop.Stop)
	fmt.Println(loop.RunForever(context.Background()), "after", loop.Time())
	// Output:
	// one second
	// <nil> after 1m0s
}

// A limit on a silence: each message puts it off.
func ExampleTimeoutScope() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		err := asyncio.TimeoutScope(ctx, time.Second, func(ctx context.Context, silence *asyncio.Deadline) error {
			for _, pause := range []time.Duration{900, 800, 700, 5000} {
				if err := asyncio.Sleep(ctx, pause*time.Millisecond); err != nil {
					return err
				}
				fmt.Println("a message at", loop.Time())
				silence.Reschedule(loop.Time() + time.Second)
			}
			return nil
		})
		fmt.Println(err)
		return nil
	}, asyncio.WithVirtualClock())
	// Output:
	// a message at 900ms
	// a message at 1.7s
	// a message at 2.4s
	// asyncio: timed out after 3.4s
}

func ExampleLoop_AddSignalHandler() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		loop := asyncio.RunningLoop(ctx)
		reload := func(os.Signal) { fmt.Println("reload") }
		if err := loop.AddSignalHandler(syscall.SIGHUP, reload); err != nil {
			return err
		}
		fmt.Println(loop.RemoveSignalHandler(syscall.SIGHUP), loop.RemoveSignalHandler(syscall.SIGHUP))
		fmt.Println(loop.AddSignalHandler(os.Kill, reload))
		return nil
	})
	// Output:
	// true false
	// asyncio: Loop.AddSignalHandler: the signal "killed" cannot be caught
}

func ExampleSignals() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		return asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			for sig, err := range asyncio.Signals(ctx, os.Interrupt, syscall.SIGTERM) {
				if err != nil {
					return err
				}
				fmt.Println("got", sig)
			}
			return nil
		})
	}, asyncio.WithVirtualClock())
	fmt.Println(err, errors.Is(err, context.DeadlineExceeded))
	// Output: asyncio: timed out after 1m0s true
}
