package aiosql_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/aiosql/sqlite"
)

func TestOpen_failures_sayWhatIsWrong(t *testing.T) {
	run(t, func(ctx context.Context) {
		for _, tc := range []struct {
			driver, dsn, want string
			opts              []aiosql.Option
		}{
			{"nosuch", "", `aiosql: open nosuch: sql: unknown driver "nosuch"`, nil},
			{"sqlite", filepath.Join(t.TempDir(), "missing", "x.db"), "aiosql: open sqlite: unable to open database file", nil},
			{"sqlite", ":memory:", "at least one connection is needed", []aiosql.Option{aiosql.WithMaxConns(0)}},
		} {
			_, err := aiosql.Open(ctx, tc.driver, tc.dsn, tc.opts...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open(%q, %q) = %v, want %q", tc.driver, tc.dsn, err, tc.want)
			}
		}
	})
}

func TestOpen_offTheLoop_isRefused(t *testing.T) {
	if _, err := aiosql.Open(context.Background(), "sqlite", ":memory:"); !errors.Is(err, asyncio.ErrNotOnLoop) {
		t.Errorf("Open = %v, want ErrNotOnLoop", err)
	}
}

func TestOpenDB_limitOfThePool_holds(t *testing.T) {
	run(t, func(ctx context.Context) {
		pool, err := sql.Open("sqlite", ":memory:") // a database for each connection
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1)
		db, err := aiosql.OpenDB(ctx, pool)
		if err != nil {
			t.Fatal(err)
		}
		mustExec(t, ctx, db, "CREATE TABLE t (i)")
		asyncio.Gather(ctx, insertInto(db, "t"), insertInto(db, "t"), insertInto(db, "t"))
		if n := mustCount(t, ctx, db, "t"); n != 3 {
			t.Errorf("the table has %d rows, want 3: there was more than one connection", n)
		}
	})
}

func insertInto(db *aiosql.DB, table string) asyncio.Coroutine[sql.Result] {
	return func(ctx context.Context) (sql.Result, error) {
		return db.Exec(ctx, "INSERT INTO "+table+" VALUES (1)")
	}
}

func TestExec_result_isKnown(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx)
		mustExec(t, ctx, db, "CREATE TABLE t (i INTEGER PRIMARY KEY)")
		res, err := db.Exec(ctx, "INSERT INTO t VALUES (?), (?)", 41, 42)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := res.LastInsertId(); id != 42 || err != nil {
			t.Errorf("LastInsertId = %d, %v", id, err)
		}
		if n, err := res.RowsAffected(); n != 2 || err != nil {
			t.Errorf("RowsAffected = %d, %v", n, err)
		}
	})
}

func TestPool_exhausted_theLoopGoesOnAndWaitersComeInOrder(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx, aiosql.WithMaxConns(1))
		var order []int
		var release asyncio.Event
		var waiters []*asyncio.Task[asyncio.None]
		held := asyncio.Go(ctx, func(ctx context.Context) error {
			return db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error { return release.Wait(ctx) })
		}, asyncio.EagerStart(true))
		for i := range 3 {
			waiters = append(waiters, asyncio.Go(ctx, func(ctx context.Context) error {
				_, err := aiosql.QueryRow[int](ctx, db, "SELECT 1")
				order = append(order, i)
				return err
			}, asyncio.EagerStart(true)))
		}
		for range 1000 { // the loop turns while all of them wait
			asyncio.Yield(ctx)
		}
		if len(order) > 0 || held.Done() {
			t.Error("somebody got a connection that was taken")
		}
		waiters[1].Cancel()
		waiters[1].Await(ctx)
		release.Set()
		for _, w := range append(waiters, held) {
			w.Await(ctx)
		}
		if len(order) != 3 || order[0] != 1 || order[1] != 0 || order[2] != 2 {
			t.Errorf("the waiters ended in the order %v, want the cancelled one, then as they came", order)
		}
	})
}

func TestPool_exhaustedByTheTransactionOfATaskThatWaits_isReportedAsDeadlock(t *testing.T) {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		db := openSQLite(t, ctx, aiosql.WithMaxConns(1))
		return db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			other := asyncio.Go(ctx, func(ctx context.Context) error {
				_, err := db.Exec(ctx, "SELECT 1")
				return err
			})
			_, err := other.Await(ctx)
			return err
		})
	})
	var deadlock *asyncio.DeadlockError
	if !errors.As(err, &deadlock) {
		t.Errorf("Run = %v, want a deadlock", err)
	}
}

func TestClose_statementsAfterAndWaiting_getErrClosed_runningOnesEnd(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx, aiosql.WithMaxConns(1))
		mustExec(t, ctx, db, "CREATE TABLE t (i)")
		var inside, release asyncio.Event
		running := asyncio.Go(ctx, func(ctx context.Context) error {
			return db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
				inside.Set()
				release.Wait(ctx)
				_, err := tx.Exec(ctx, "INSERT INTO t VALUES (1)")
				return err
			})
		})
		inside.Wait(ctx)
		waiting := asyncio.CreateTask(ctx, insertInto(db, "t"))
		asyncio.Yield(ctx)
		closing := asyncio.Go(ctx, func(ctx context.Context) error { return db.Close(ctx) })
		asyncio.Yield(ctx)
		release.Set()
		if _, err := running.Await(ctx); err != nil {
			t.Errorf("the running transaction = %v", err)
		}
		if _, err := waiting.Await(ctx); !errors.Is(err, aiosql.ErrClosed) {
			t.Errorf("the waiting statement = %v, want ErrClosed", err)
		}
		if _, err := closing.Await(ctx); err != nil {
			t.Errorf("Close = %v", err)
		}
		if _, err := db.Exec(ctx, "SELECT 1"); !errors.Is(err, aiosql.ErrClosed) {
			t.Errorf("Exec after Close = %v, want ErrClosed", err)
		}
		if _, err := aiosql.Collect(aiosql.Query[int](ctx, db, "SELECT 1")); !errors.Is(err, aiosql.ErrClosed) {
			t.Errorf("Query after Close = %v, want ErrClosed", err)
		}
		if err := db.Tx(ctx, nil); !errors.Is(err, aiosql.ErrClosed) {
			t.Errorf("Tx after Close = %v, want ErrClosed", err)
		}
		if err := db.Close(ctx); err != nil {
			t.Errorf("Close again = %v", err)
		}
	})
}

func TestClose_memoryDatabase_isSharedUntilThen(t *testing.T) {
	run(t, func(ctx context.Context) {
		one, err := sqlite.Open(ctx, ":memory:")
		if err != nil {
			t.Fatal(err)
		}
		defer one.Close(ctx)
		mustExec(t, ctx, one, "CREATE TABLE t (i)")
		if _, err := asyncio.Gather(ctx, insertInto(one, "t"), insertInto(one, "t"), insertInto(one, "t"), insertInto(one, "t")); err != nil {
			t.Error(err)
		}
		if n := mustCount(t, ctx, one, "t"); n != 4 {
			t.Errorf("the table has %d rows, want 4", n)
		}
		other, err := sqlite.Open(ctx, ":memory:")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close(ctx)
		if _, err := other.Exec(ctx, "SELECT * FROM t"); err == nil {
			t.Error("two databases in memory are one")
		}
	})
}
