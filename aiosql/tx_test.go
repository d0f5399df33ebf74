package aiosql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
)

// withTable runs body with a database of one connection that has the table t (i).
func withTable(t *testing.T, body func(ctx context.Context, db *aiosql.DB)) {
	t.Helper()
	run(t, func(ctx context.Context) {
		db := openSQLite(t, ctx, aiosql.WithMaxConns(1))
		defer db.Close(ctx)
		mustExec(t, ctx, db, "CREATE TABLE t (i)")
		body(ctx, db)
	})
}

func insert(ctx context.Context, q aiosql.Querier) error {
	_, err := q.Exec(ctx, "INSERT INTO t VALUES (1)")
	return err
}

func TestTx_goodEnd_commits(t *testing.T) {
	withTable(t, func(ctx context.Context, db *aiosql.DB) {
		err := db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			if err := insert(ctx, tx); err != nil {
				return err
			}
			if n := mustCount(t, ctx, tx, "t"); n != 1 {
				t.Errorf("the transaction sees %d rows of its own, want 1", n)
			}
			return nil
		})
		if n := mustCount(t, ctx, db, "t"); err != nil || n != 1 {
			t.Errorf("Tx = %v, and then %d rows", err, n)
		}
	})
}

func TestTx_badEnds_rollBackAndGiveTheConnectionBack(t *testing.T) {
	mine := errors.New("mine")
	type block = func(ctx context.Context, tx *aiosql.Tx) error
	for name, tc := range map[string]struct {
		fn     block
		cancel bool // once fn has begun
		want   error
	}{
		"error":   {fn: func(context.Context, *aiosql.Tx) error { return mine }, want: mine},
		"bad SQL": {fn: func(ctx context.Context, tx *aiosql.Tx) error { _, err := tx.Exec(ctx, "NONSENSE"); return err }},
		"panic":   {fn: func(context.Context, *aiosql.Tx) error { panic(mine) }, want: mine},
		"Goexit":  {fn: func(context.Context, *aiosql.Tx) error { runtime.Goexit(); return nil }, want: asyncio.ErrGoexit},
		"cancelled while waiting": {
			fn:     func(ctx context.Context, tx *aiosql.Tx) error { return asyncio.Sleep(ctx, time.Hour) },
			cancel: true, want: context.Canceled,
		},
		"cancelled, yet nil": {
			fn:     func(ctx context.Context, tx *aiosql.Tx) error { asyncio.Sleep(ctx, time.Hour); return nil },
			cancel: true, want: context.Canceled,
		},
		"cancelled statement": {
			fn: func(ctx context.Context, tx *aiosql.Tx) error {
				_, err := tx.Exec(ctx, "INSERT INTO t "+endless)
				return err
			},
			cancel: true, want: context.Canceled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			withTable(t, func(ctx context.Context, db *aiosql.DB) {
				var begun asyncio.Event
				task := asyncio.Go(ctx, func(ctx context.Context) error {
					return db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
						if err := insert(ctx, tx); err != nil {
							t.Error(err)
						}
						begun.Set()
						return tc.fn(ctx, tx)
					})
				})
				begun.Wait(ctx)
				if tc.cancel {
					task.Cancel()
				}
				_, err := task.Await(ctx)
				if err == nil || (tc.want != nil && !errors.Is(err, tc.want)) {
					t.Errorf("Tx = %v, want %v", err, tc.want)
				}
				if n := mustCount(t, ctx, db, "t"); n != 0 {
					t.Errorf("%d rows are left", n)
				}
			})
		})
	}
}

func TestTx_statementCancelledInside_spoilsTheTransaction(t *testing.T) {
	withTable(t, func(ctx context.Context, db *aiosql.DB) {
		err := db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			if err := insert(ctx, tx); err != nil {
				return err
			}
			asyncio.Timeout(ctx, 20*time.Millisecond, func(ctx context.Context) error {
				_, err := tx.Exec(ctx, "INSERT INTO t "+endless)
				return err
			})
			if err := insert(ctx, tx); err == nil || !strings.Contains(err.Error(), "rolled back") {
				t.Errorf("the next statement = %v, want it refused", err)
			}
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Tx = %v, want what cancelled the statement", err)
		}
		if n := mustCount(t, ctx, db, "t"); n != 0 {
			t.Errorf("%d rows are left, want none: half of a transaction was kept", n)
		}
	})
}

func TestTx_usedByManyCoroutines_runsOneStatementAfterTheOther(t *testing.T) {
	withTable(t, func(ctx context.Context, db *aiosql.DB) {
		err := db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for range 20 {
					g.Go(func(ctx context.Context) error { return insert(ctx, tx) })
					g.Go(func(ctx context.Context) error {
						_, err := aiosql.Collect(aiosql.Query[int](ctx, tx, "SELECT i FROM t"))
						return err
					})
				}
				return nil
			})
		})
		if n := mustCount(t, ctx, db, "t"); err != nil || n != 20 {
			t.Errorf("Tx = %v, and then %d rows, want 20", err, n)
		}
	})
}

func TestTx_statementsInTheBodyOfARange_work(t *testing.T) {
	withTable(t, func(ctx context.Context, db *aiosql.DB) {
		err := db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			seen := 0
			for i, err := range aiosql.Query[int](ctx, tx, upTo, 2000) {
				if err != nil {
					return err
				}
				if seen++; i != seen {
					t.Fatalf("row %d is %d", seen, i)
				}
				if i%2 == 0 {
					continue
				}
				if err := insert(ctx, tx); err != nil {
					return err
				}
				for j, err := range aiosql.Query[int](ctx, tx, upTo, 3) {
					if err != nil || j == 2 {
						break
					}
				}
			}
			if seen != 2000 {
				t.Errorf("%d rows, want 2000", seen)
			}
			return nil
		})
		if n := mustCount(t, ctx, db, "t"); err != nil || n != 1000 {
			t.Errorf("Tx = %v, and then %d rows, want 1000", err, n)
		}
	})
}

func TestTx_endlessRangeInTheWay_canBeCancelled(t *testing.T) {
	withTable(t, func(ctx context.Context, db *aiosql.DB) {
		db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			for _, err := range aiosql.Query[int](ctx, tx, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n) SELECT i FROM n") {
				if err != nil {
					return err
				}
				err := asyncio.Timeout(ctx, 5*time.Millisecond, func(ctx context.Context) error { return insert(ctx, tx) })
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Exec = %v, want the timeout", err)
				}
				break
			}
			return nil
		})
		if n := mustCount(t, ctx, db, "t"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestTx_usedAfterItsEnd_isErrTxDone(t *testing.T) {
	withTable(t, func(ctx context.Context, db *aiosql.DB) {
		var kept *aiosql.Tx
		db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error { kept = tx; return nil })
		if err := insert(ctx, kept); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("Exec = %v, want ErrTxDone", err)
		}
	})
}

func TestTx_cancelledBefore_doesNotBegin(t *testing.T) {
	withTable(t, func(ctx context.Context, db *aiosql.DB) {
		cancelled, cancel := asyncio.WithCancel(ctx)
		cancel(nil)
		err := db.Tx(cancelled, func(context.Context, *aiosql.Tx) error {
			t.Error("the block was run")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Tx = %v, want Canceled", err)
		}
	})
}

func TestTx_options_reachTheDriver(t *testing.T) {
	run(t, func(ctx context.Context) {
		f := &frail{}
		db, err := aiosql.OpenDB(ctx, sql.OpenDB(f))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Tx(ctx, nothing, aiosql.Isolation(sql.LevelSerializable), aiosql.ReadOnly()); err != nil {
			t.Error(err)
		}
		if want := (driver.TxOptions{Isolation: driver.IsolationLevel(sql.LevelSerializable), ReadOnly: true}); len(f.began) != 1 || f.began[0] != want {
			t.Errorf("the driver got %v, want %v", f.began, want)
		}
	})
}

// oldConnector is a driver from before transactions had options.
type oldConnector struct{ frail }

func (f *oldConnector) Connect(context.Context) (driver.Conn, error) {
	return oldConn{frailConn{&f.frail}}, nil
}

// oldConn hides what an old driver has not.
type oldConn struct{ conn driver.Conn }

func (c oldConn) Prepare(query string) (driver.Stmt, error) { return c.conn.Prepare(query) }
func (c oldConn) Close() error                              { return c.conn.Close() }
func (c oldConn) Begin() (driver.Tx, error)                 { return c.conn.(driver.Tx), nil }

func TestTx_optionsThatAnOldDriverDoesNotKnow_areRefused(t *testing.T) {
	run(t, func(ctx context.Context) {
		db, err := aiosql.OpenDB(ctx, sql.OpenDB(&oldConnector{}))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Tx(ctx, nothing); err != nil {
			t.Errorf("without options: %v", err)
		}
		for _, o := range []aiosql.TxOption{aiosql.ReadOnly(), aiosql.Isolation(sql.LevelSerializable)} {
			if err := db.Tx(ctx, nothing, o); err == nil || !strings.Contains(err.Error(), "aiosql: begin: the driver knows neither") {
				t.Errorf("with an option: %v", err)
			}
		}
	})
}
