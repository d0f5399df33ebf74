package aiosql_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
)

type use = func(ctx context.Context, db *aiosql.DB) error

// uses are what a task does with a database.
var uses = map[string]use{
	"exec": func(ctx context.Context, db *aiosql.DB) error { return insert(ctx, db) },
	"read": queryRow("SELECT count(*) FROM t"),
	"returning": queryRow(`-- a comment
		/* and another one */ INSERT INTO t VALUES (1) RETURNING i`),
	"with":         queryRow("WITH n AS (SELECT 1) INSERT INTO t SELECT * FROM n RETURNING i"),
	"tx":           func(ctx context.Context, db *aiosql.DB) error { return db.Tx(ctx, nothing) },
	"read-only tx": func(ctx context.Context, db *aiosql.DB) error { return db.Tx(ctx, nothing, aiosql.ReadOnly()) },
}

func queryRow(query string) use {
	return func(ctx context.Context, db *aiosql.DB) error {
		_, err := aiosql.QueryRow[int](ctx, db, query)
		return err
	}
}

func nothing(context.Context, *aiosql.Tx) error { return nil }

// blocks are in what a task does so. Each calls body once.
var blocks = map[string]func(ctx context.Context, db *aiosql.DB, body func(ctx context.Context)) error{
	"Tx": func(ctx context.Context, db *aiosql.DB, body func(ctx context.Context)) error {
		return db.Tx(ctx, func(ctx context.Context, _ *aiosql.Tx) error { body(ctx); return nil })
	},
	"read-only Tx": func(ctx context.Context, db *aiosql.DB, body func(ctx context.Context)) error {
		return db.Tx(ctx, func(ctx context.Context, _ *aiosql.Tx) error { body(ctx); return nil }, aiosql.ReadOnly())
	},
	"range": func(ctx context.Context, db *aiosql.DB, body func(ctx context.Context)) error {
		for _, err := range aiosql.Query[int](ctx, db, upTo, 1000) {
			if err == nil {
				body(ctx)
			}
			return err
		}
		return nil
	},
}

// What is not refused has to work, and not to wait for the lock for 10 seconds: the test
// has the wrong answer then.
func TestDB_usedWhereItsTaskHasIt_isRefusedAtOnceIfItWouldWaitForItself(t *testing.T) {
	all := []string{"exec", "read", "read-only tx", "returning", "tx", "with"}
	write := []string{"exec", "returning", "tx", "with"}
	for _, tc := range []struct {
		name, path string
		conns      int
		refused    map[string][]string // by block
	}{
		{"file", "hold.db", 8, map[string][]string{"Tx": write}},
		{"file with one connection", "hold.db", 1, map[string][]string{"Tx": all, "read-only Tx": all, "range": all}},
		{"rollback journal", "file:hold.db?_journal_mode=DELETE", 8, map[string][]string{"Tx": write, "read-only Tx": write, "range": write}},
		{"memory", ":memory:", 8, map[string][]string{"Tx": all, "read-only Tx": write, "range": write}},
		{"deferred", "file:hold.db?_txlock=deferred", 8, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			run(t, func(ctx context.Context) {
				db, err := sqlite.Open(ctx, tc.path, aiosql.WithMaxConns(tc.conns))
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close(ctx)
				mustExec(t, ctx, db, "CREATE TABLE t (i)")
				for name, block := range blocks {
					var refused []string
					err := block(ctx, db, func(inner context.Context) {
						for use, call := range uses {
							err := call(ctx, db) // also with a context from before the block
							if errors.Is(err, aiosql.ErrWaitsForItself) {
								refused = append(refused, use)
							} else if err != nil {
								t.Errorf("%s in %s = %v", use, name, err)
							}
							if again := call(inner, db); errors.Is(err, aiosql.ErrWaitsForItself) != errors.Is(again, aiosql.ErrWaitsForItself) {
								t.Errorf("%s in %s with its context = %v, with another one %v", use, name, again, err)
							}
						}
					})
					slices.Sort(refused)
					if err != nil || !slices.Equal(refused, tc.refused[name]) {
						t.Errorf("%s = %v, and refused were %v, want %v", name, err, refused, tc.refused[name])
					}
				}
				if err := insert(ctx, db); err != nil {
					t.Errorf("after all blocks: %v", err)
				}
			})
		})
	}
}

func TestDB_usedWhereItsTaskHasIt_theErrorSaysWhatToUse(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx)
		mustExec(t, ctx, db, "CREATE TABLE t (i)")
		db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			err := insert(ctx, db)
			if err == nil || !strings.Contains(err.Error(), `aiosql: exec "INSERT INTO t VALUES (1)"`) || !strings.Contains(err.Error(), "use the Tx") {
				t.Errorf("Exec = %v", err)
			}
			return nil
		})
	})
}

func TestDB_usedByAnotherTaskThanTheOneThatHasIt_waitsItsTurn(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx, aiosql.WithMaxConns(1))
		mustExec(t, ctx, db, "CREATE TABLE t (i)")
		var others []*asyncio.Task[asyncio.None]
		err := db.Tx(ctx, func(inner context.Context, tx *aiosql.Tx) error {
			for _, parent := range []context.Context{ctx, inner} {
				others = append(others, asyncio.Go(parent, func(ctx context.Context) error { return insert(ctx, db) }))
			}
			return asyncio.Yield(inner)
		})
		for _, other := range others {
			if _, otherErr := other.Await(ctx); err != nil || otherErr != nil {
				t.Errorf("Tx = %v, the other task = %v", err, otherErr)
			}
		}
	})
}

func TestDB_ofTwo_oneInTheTransactionOfTheOther_isNotRefused(t *testing.T) {
	run(t, func(ctx context.Context) {
		path := filepath.Join(t.TempDir(), "other.db")
		one := openSQLite(t, ctx)
		other, err := sqlite.Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		mustExec(t, ctx, other, "CREATE TABLE t (i)")
		if err := one.Tx(ctx, func(ctx context.Context, _ *aiosql.Tx) error { return insert(ctx, other) }); err != nil {
			t.Error(err)
		}
	})
}

func TestDB_whoseLocksAreByRows_isUsedBesideItsTransaction(t *testing.T) {
	run(t, func(ctx context.Context) {
		f := &frail{}
		db, err := aiosql.OpenDB(ctx, sql.OpenDB(f), aiosql.WithMaxConns(3))
		if err != nil {
			t.Fatal(err)
		}
		nest := func(ctx context.Context, _ *aiosql.Tx) error {
			return db.Tx(ctx, func(ctx context.Context, _ *aiosql.Tx) error { return insert(ctx, db) })
		}
		if err := db.Tx(ctx, nest); err != nil {
			t.Errorf("the third connection = %v", err)
		}
		err = db.Tx(ctx, func(ctx context.Context, _ *aiosql.Tx) error { return db.Tx(ctx, nest) })
		if !errors.Is(err, aiosql.ErrWaitsForItself) || !strings.Contains(err.Error(), "all 3 connections") {
			t.Errorf("the fourth of three connections = %v", err)
		}
	})
}
