package asyncio_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio"
)

// A coroutine and a goroutine talk through channels.
func ExampleRecv() {
	questions, answers := make(chan int), make(chan int)
	go func() {
		defer close(answers)
		for q := range questions {
			answers <- q * q
		}
	}()
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		for q := range 3 {
			if err := asyncio.Send(ctx, questions, q); err != nil {
				return err
			}
			a, _, err := asyncio.Recv(ctx, answers)
			if err != nil {
				return err
			}
			fmt.Println(a)
		}
		close(questions)
		_, ok, err := asyncio.Recv(ctx, answers)
		fmt.Println(ok)
		return err
	})
	// Output:
	// 0
	// 1
	// 4
	// false
}

// A value that nobody takes in time is not sent.
func ExampleSend() {
	jobs := make(chan string)
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		err := asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error {
			return asyncio.Send(ctx, jobs, "work")
		})
		fmt.Println(err)
		return nil
	}, asyncio.WithVirtualClock())
	// Output: asyncio: timed out after 1m0s
}
