package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-asyncio/asyncio"
)

// Each call gets a timeout of its own; the retries end when ctx does.
func ExampleRetry() {
	calls := 0
	fetch := func(ctx context.Context) (string, error) {
		return asyncio.WaitFor(ctx, time.Second, func(ctx context.Context) (string, error) {
			if calls++; calls < 3 {
				return "", asyncio.Sleep(ctx, time.Minute) // the server does not answer
			}
			return "the page", nil
		})
	}
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		page, err := asyncio.Retry(ctx, asyncio.RetryPolicy{}, fetch)
		fmt.Println(page, err, "after", calls, "calls")
		return nil
	}, asyncio.WithVirtualClock())
	// Output: the page <nil> after 3 calls
}

func ExamplePermanent() {
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		err := asyncio.RetryPolicy{}.Do(ctx, func(ctx context.Context) error {
			return asyncio.Permanent(errors.New("404 Not Found"))
		})
		fmt.Println(err)
		return nil
	}, asyncio.WithVirtualClock())
	// Output: asyncio: failed after 1 try: 404 Not Found
}

// All requests of a program share a budget: when nothing works any more, each of
// them is sent once, and not five times.
func ExampleRetryBudget() {
	var budget asyncio.RetryBudget
	calls := 0
	request := func(ctx context.Context) error { calls++; return errors.New("503 Service Unavailable") }
	asyncio.Run(context.Background(), func(ctx context.Context) error {
		for range 100 {
			asyncio.RetryPolicy{Budget: &budget}.Do(ctx, request)
		}
		fmt.Println(calls, "calls for 100 requests")
		return nil
	}, asyncio.WithVirtualClock())
	// Output: 110 calls for 100 requests
}
