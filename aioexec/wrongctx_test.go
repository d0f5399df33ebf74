package aioexec_test

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio/aioexec"
	"github.com/go-asyncio/asyncio/aiofile"
	"github.com/go-asyncio/asyncio/internal/wrongctx"
)

func TestCmd_withAContextThatIsNotTheRunningTasks_saysWhatIsWrong(t *testing.T) {
	cmd := func() *aioexec.Cmd { return aioexec.Command("true") }
	pipe := func(_ *aiofile.Pipe, err error) error { return err }
	wrongctx.Test(t, map[string]func(ctx context.Context) error{
		"Start":          func(ctx context.Context) error { return cmd().Start(ctx) },
		"Run":            func(ctx context.Context) error { return cmd().Run(ctx) },
		"Output":         func(ctx context.Context) error { _, err := cmd().Output(ctx); return err },
		"CombinedOutput": func(ctx context.Context) error { _, err := cmd().CombinedOutput(ctx); return err },
		"Communicate":    func(ctx context.Context) error { _, _, err := cmd().Communicate(ctx, nil); return err },
		"StdinPipe":      func(ctx context.Context) error { return pipe(cmd().StdinPipe(ctx)) },
		"StdoutPipe":     func(ctx context.Context) error { return pipe(cmd().StdoutPipe(ctx)) },
		"StderrPipe":     func(ctx context.Context) error { return pipe(cmd().StderrPipe(ctx)) },
	})
}
