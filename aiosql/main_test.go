package aiosql_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
	"github.com/go-asyncio/asyncio/internal/leakcheck"
)

// servers is what tests have started and share; it is stopped after the last one.
var servers []func()

type tests struct{ *testing.M }

func (m tests) Run() int {
	defer func() {
		for _, stop := range servers {
			stop()
		}
	}()
	return m.M.Run()
}

func TestMain(m *testing.M) { leakcheck.Main(tests{m}) }

// run runs a test's body on a loop.
func run(t *testing.T, body func(ctx context.Context)) {
	t.Helper()
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		body(ctx)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// openSQLite opens a database in a file that is removed after the test.
func openSQLite(t *testing.T, ctx context.Context, opts ...aiosql.Option) *aiosql.DB {
	t.Helper()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "test.db"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// openMemory opens a database in memory that has one connection.
func openMemory(t *testing.T, ctx context.Context) *aiosql.DB {
	t.Helper()
	db, err := sqlite.Open(ctx, ":memory:", aiosql.WithMaxConns(1))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func mustExec(t *testing.T, ctx context.Context, q aiosql.Querier, query string, args ...any) {
	t.Helper()
	if _, err := q.Exec(ctx, query, args...); err != nil {
		t.Fatal(err)
	}
}

func mustCount(t *testing.T, ctx context.Context, q aiosql.Querier, table string) int {
	t.Helper()
	n, err := aiosql.QueryRow[int](ctx, q, "SELECT count(*) FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// endless is a statement of SQLite that ends only when it is cancelled.
const endless = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"

// upTo makes the rows 1 to n.
const upTo = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < ?) SELECT i FROM n"
