package aiosql_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
)

// The time per row of a large result, and per statement of a small one: awaited, and by
// database/sql itself on a plain goroutine.

func BenchmarkRow_awaited(b *testing.B) {
	onSQLite(b, func(ctx context.Context, db *aiosql.DB) {
		for _, err := range aiosql.Query[int](ctx, db, upTo, b.N) {
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRow_databaseSQL(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	onDatabaseSQL(b, func(db *sql.DB) {
		rows, err := db.QueryContext(ctx, upTo, b.N)
		if err != nil {
			b.Fatal(err)
		}
		defer rows.Close()
		for i := 0; rows.Next(); {
			if err := rows.Scan(&i); err != nil {
				b.Fatal(err)
			}
		}
		if err := rows.Err(); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkStatement_awaited(b *testing.B) {
	onSQLite(b, func(ctx context.Context, db *aiosql.DB) {
		for b.Loop() {
			if _, err := aiosql.QueryRow[int](ctx, db, "SELECT 1"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkStatement_databaseSQL(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background()) // drivers watch one that can end
	defer cancel()
	onDatabaseSQL(b, func(db *sql.DB) {
		for b.Loop() {
			var i int
			if err := db.QueryRowContext(ctx, "SELECT 1").Scan(&i); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func onSQLite(b *testing.B, body func(ctx context.Context, db *aiosql.DB)) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		db, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "bench.db"))
		if err != nil {
			return err
		}
		defer db.Close(ctx)
		b.ResetTimer()
		body(ctx, db)
		b.StopTimer()
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func onDatabaseSQL(b *testing.B, body func(db *sql.DB)) {
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "bench.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	b.ResetTimer()
	body(db)
	b.StopTimer()
}
