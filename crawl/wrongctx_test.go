package crawl_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/go-asyncio/asyncio/crawl"
	"github.com/go-asyncio/asyncio/internal/wrongctx"
)

func TestRun_withAContextThatIsNotTheRunningTasks_saysWhatIsWrong(t *testing.T) {
	wrongctx.Test(t, map[string]func(ctx context.Context) error{
		"Run": func(ctx context.Context) error {
			_, err := crawl.Run(ctx, crawl.Config{Start: []string{"http://127.0.0.1:1/"}, Out: filepath.Join(t.TempDir(), "x.db")})
			return err
		},
	})
}
