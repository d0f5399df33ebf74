package asyncio_test

import (
	"context"
	"fmt"

	"github.com/go-asyncio/asyncio"
)

// A coroutine asks another loop, and its own goes on meanwhile.
func ExampleSubmission_Await() {
	other, err := asyncio.NewLoop()
	if err != nil {
		panic(err)
	}
	ended := make(chan error, 1)
	stop := make(chan bool)
	go func() {
		defer other.Close()
		ended <- other.Run(context.Background(), func(ctx context.Context) error {
			_, _, err := asyncio.Recv(ctx, stop)
			return err
		})
	}()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		answer := asyncio.RunThreadsafe(other, func(ctx context.Context) (string, error) {
			return "from the other loop", asyncio.Yield(ctx)
		})
		v, err := answer.Await(ctx)
		fmt.Println(v)
		return err
	})
	close(stop)
	<-ended
	// Output: from the other loop
}

// All blocking calls run on one goroutine, as a library may want that is not
// made for several.
func ExampleWithExecutor() {
	jobs := make(chan func(), 64) // as many as there are permits: it never blocks the loop
	go func() {
		for work := range jobs {
			work()
		}
	}()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		v, err := asyncio.ToThread(ctx, func() (int, error) { return 42, nil })
		fmt.Println(v)
		return err
	}, asyncio.WithExecutor(func(work func()) { jobs <- work }))
	close(jobs)
	// Output: 42
}

// Nothing is left running when main returns, not even what was cancelled.
func ExampleLoop_ShutdownThreads() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		saved := false
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := asyncio.ToThread(ctx, func() (int, error) { saved = true; return 0, nil })
			return err
		})
		asyncio.Yield(ctx)
		task.Cancel()
		err := asyncio.RunningLoop(ctx).ShutdownThreads(ctx)
		fmt.Println(saved)
		return err
	})
	// Output: true
}
