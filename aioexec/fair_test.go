//go:build unix

package aioexec_test

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio/aioexec"
	"github.com/go-asyncio/asyncio/internal/fairtest"
)

// A loop that tries again and again without a pause is a mistake, but must not keep its own timeout away.
func TestCalls_thatReturnAtOnce_letOthersRun(t *testing.T) {
	run(t, func(ctx context.Context) error {
		ended := aioexec.Command("true")
		if _, err := ended.Output(ctx); err != nil {
			return err
		}
		fairtest.Test(t, ctx, map[string]func(){
			"Run of no program":           func() { aioexec.Command("no such program").Run(ctx) },
			"Start again":                 func() { ended.Start(ctx) },
			"Wait for what has ended":     func() { ended.Wait(ctx) },
			"Wait for what never started": func() { aioexec.Command("true").Wait(ctx) },
			"Output again":                func() { ended.Output(ctx) },
			"CombinedOutput again":        func() { ended.CombinedOutput(ctx) },
			"Communicate again":           func() { ended.Communicate(ctx, nil) },
			"StdoutPipe when started":     func() { ended.StdoutPipe(ctx) },
		})
		return nil
	})
}
