// Package fairtest tests that calls which never have to wait let the others in all the same.
package fairtest

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// Test fails the test unless each call, which has to return at once, with an error or without, lets another task have a
// turn before it was repeated as often as a turn has steps.
func Test(t *testing.T, ctx context.Context, calls map[string]func()) {
	t.Helper()
	for name, call := range calls {
		if n, ran := Repeat(ctx, engine.TurnSteps+1, func(int) { call() }); !ran {
			t.Errorf("%s: in %d calls the others had no turn", name, n)
		}
	}
}

// Repeat calls call, which never has to wait, with 0, 1 and so on until another task has had a turn, but at most so many
// times. It returns how often it has called it, and whether the other task ran.
func Repeat(ctx context.Context, most int, call func(i int)) (n int, ran bool) {
	asyncio.Go(ctx, func(context.Context) error {
		ran = true
		return nil
	})
	for ; n < most && !ran; n++ {
		call(n)
	}
	return n, ran
}
