package aiosql_test

import (
	"context"
	"testing"

	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
	"github.com/go-asyncio/asyncio/internal/wrongctx"
)

func TestDB_withAContextThatIsNotTheRunningTasks_saysWhatIsWrong(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openMemory(t, ctx)
		wrongctx.TestIn(t, ctx, map[string]func(ctx context.Context) error{
			"Open":     func(ctx context.Context) error { _, err := aiosql.Open(ctx, "sqlite", ":memory:"); return err },
			"sqlite":   func(ctx context.Context) error { _, err := sqlite.Open(ctx, ":memory:"); return err },
			"Exec":     func(ctx context.Context) error { return insert(ctx, db) },
			"QueryRow": func(ctx context.Context) error { _, err := aiosql.QueryRow[int](ctx, db, "SELECT 1"); return err },
			"Query": func(ctx context.Context) error {
				_, err := aiosql.Collect(aiosql.Query[int](ctx, db, "SELECT 1"))
				return err
			},
			"Tx":    func(ctx context.Context) error { return db.Tx(ctx, nothing) },
			"Close": func(ctx context.Context) error { return db.Close(ctx) },
		})
	})
}
