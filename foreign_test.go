package asyncio_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
)

func TestStandardContext_reachesTheTasksOfTasksThatHaveEnded(t *testing.T) {
	run(t, func(ctx context.Context) error {
		standard, cancel := context.WithCancel(ctx)
		defer cancel()
		var inner *asyncio.Task[asyncio.None]
		outer := asyncio.Go(standard, func(ctx context.Context) error {
			inner = asyncio.Go(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) })
			return nil
		})
		outer.Await(ctx)
		letWait(t, ctx)
		cancel()
		if _, err := inner.Await(ctx); err != context.Canceled {
			t.Errorf("got %v, want context.Canceled", err)
		}
		return nil
	})
}
