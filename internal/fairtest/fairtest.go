// Package fairtest tests that calls which never have to wait let the others in all the same.
package fairtest

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio"
)

// Test repeats each call until another task has had a turn. Each call has to return at once, with an error or without.
func Test(t *testing.T, ctx context.Context, calls map[string]func()) {
	t.Helper()
	for name, call := range calls {
		ran := false
		asyncio.Go(ctx, func(context.Context) error {
			ran = true
			return nil
		})
		for n := 0; n < most && !ran; n++ {
			call()
		}
		if !ran {
			t.Errorf("%s: in %d calls the others had no turn", name, most)
		}
	}
}

// most is more than a turn has steps.
const most = 150
