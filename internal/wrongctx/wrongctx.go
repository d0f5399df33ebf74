// Package wrongctx tests what functions do with a context that is not the one of the task that calls them.
package wrongctx

import (
	"context"
	"errors"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// Test makes each call where it cannot work: with a context of no loop, on a goroutine beside the loop, and with the
// context of another task. Each has to return the error that says so, and must not panic.
func Test(t *testing.T, calls map[string]func(ctx context.Context) error) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		TestIn(t, ctx, calls)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestIn is Test in a coroutine that is there already.
func TestIn(t *testing.T, ctx context.Context, calls map[string]func(ctx context.Context) error) {
	t.Helper()
	check(t, calls, context.Background(), asyncio.ErrNotOnLoop)
	other := asyncio.Go(ctx, func(context.Context) error {
		check(t, calls, ctx, asyncio.ErrWrongContext)
		return nil
	})
	if _, err := other.Await(ctx); err != nil {
		t.Error(err)
	}
	_, err := asyncio.ToThread(ctx, func() (asyncio.None, error) {
		check(t, calls, ctx, asyncio.ErrWrongGoroutine)
		return asyncio.None{}, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func check(t *testing.T, calls map[string]func(ctx context.Context) error, ctx context.Context, want error) {
	for name, call := range calls {
		func() {
			defer func() {
				if v := recover(); v != nil {
					t.Errorf("%s panics: %v\nwant the error: %v", name, v, want)
				}
			}()
			if err := call(ctx); !errors.Is(err, want) {
				t.Errorf("%s returns: %v\nwant: %v", name, err, want)
			}
		}()
	}
}
