package aiosql_test

import (
	"context"
	"errors"
	"testing"

	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
	"github.com/go-asyncio/asyncio/internal/fairtest"
)

func TestCalls_thatReturnAtOnce_letOthersRun(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openMemory(t, ctx)
		var over *aiosql.Tx
		if err := db.Tx(ctx, func(_ context.Context, tx *aiosql.Tx) error { over = tx; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(ctx); err != nil {
			t.Fatal(err)
		}
		nothing := func(context.Context, *aiosql.Tx) error { return errors.New("the database is open") }
		fairtest.Test(t, ctx, map[string]func(){
			"Exec":          func() { db.Exec(ctx, "SELECT 1") },
			"QueryRow":      func() { aiosql.QueryRow[int](ctx, db, "SELECT 1") },
			"Tx":            func() { db.Tx(ctx, nothing) },
			"Close":         func() { db.Close(ctx) },
			"Exec in a Tx":  func() { over.Exec(ctx, "SELECT 1") },
			"sqlite.Open":   func() { sqlite.Open(ctx, "file:x?%zz") },
			"Open":          func() { aiosql.Open(ctx, "no such driver", "") },
			"Open, options": func() { aiosql.Open(ctx, "sqlite", ":memory:", aiosql.WithMaxConns(0)) },
		})
	})
}
