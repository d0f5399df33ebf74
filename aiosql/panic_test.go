package aiosql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
)

// frail is a driver of which one call fails the hard way: it panics, or ends its goroutine.
type frail struct {
	at             string // the call, by its name
	fail           func()
	opened, closed atomic.Int64
	began          []driver.TxOptions
}

// call is what each call of the driver does first. Only the first call at f.at fails.
func (f *frail) call(name string) {
	if f.at == name {
		f.at = ""
		f.fail()
	}
}

func (f *frail) Driver() driver.Driver { return nil }

func (f *frail) Connect(context.Context) (driver.Conn, error) {
	f.call("connect")
	f.opened.Add(1)
	return frailConn{f}, nil
}

type frailConn struct{ *frail }

func (c frailConn) Ping(context.Context) error { c.call("ping"); return nil }

func (c frailConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	c.call("exec")
	return frailResult(c), nil
}

func (c frailConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	c.call("query")
	return &frailRows{frail: c.frail}, nil
}

func (c frailConn) BeginTx(_ context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.call("begin")
	c.began = append(c.began, o)
	return c, nil
}

func (c frailConn) Commit() error                       { c.call("commit"); return nil }
func (c frailConn) Rollback() error                     { c.call("rollback"); return nil }
func (c frailConn) Close() error                        { c.closed.Add(1); return nil }
func (c frailConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not prepared") }
func (c frailConn) Begin() (driver.Tx, error)           { return nil, errors.New("not begun") }

type frailResult struct{ *frail }

func (r frailResult) LastInsertId() (int64, error) { r.call("id"); return 1, nil }
func (r frailResult) RowsAffected() (int64, error) { r.call("affected"); return 1, nil }

// frailRows are five rows of one column.
type frailRows struct {
	*frail
	row int64
}

func (r *frailRows) Columns() []string { r.call("columns"); return []string{"i"} }
func (r *frailRows) Close() error      { r.call("close rows"); return nil }

func (r *frailRows) Next(dest []driver.Value) error {
	if r.row++; r.row == 3 {
		r.call("third row")
	}
	if r.row > 5 {
		return io.EOF
	}
	dest[0] = r.row
	return nil
}

// frailValue is an argument, whose method is called as if it were the driver's.
type frailValue struct{ *frail }

func (v frailValue) Value() (driver.Value, error) { v.call("value"); return int64(1), nil }

// frailUses are the ways to use a database, each with the calls of the driver that it makes.
var frailUses = []struct {
	name  string
	calls []string
	use   func(ctx context.Context, db *aiosql.DB, v frailValue) error
}{
	{"Exec", []string{"value", "exec", "id", "affected"}, func(ctx context.Context, db *aiosql.DB, v frailValue) error {
		_, err := db.Exec(ctx, "anything", v)
		return err
	}},
	{"QueryRow", []string{"value", "query", "columns", "close rows"}, func(ctx context.Context, db *aiosql.DB, v frailValue) error {
		_, err := aiosql.QueryRow[int](ctx, db, "anything", v)
		return err
	}},
	{"Query", []string{"value", "query", "columns", "third row", "close rows"}, func(ctx context.Context, db *aiosql.DB, v frailValue) error {
		_, err := aiosql.Collect(aiosql.Query[int](ctx, db, "anything", v))
		return err
	}},
	{"Tx", []string{"begin", "value", "query", "exec", "commit"}, func(ctx context.Context, db *aiosql.DB, v frailValue) error {
		return db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			_, err := aiosql.QueryRow[int](ctx, tx, "anything", v)
			if _, other := tx.Exec(ctx, "anything"); err == nil {
				err = other
			}
			return err
		})
	}},
	{"Tx that goes on", []string{"query", "third row"}, func(ctx context.Context, db *aiosql.DB, v frailValue) error {
		return db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			_, _ = aiosql.Collect(aiosql.Query[int](ctx, tx, "anything"))
			return nil
		})
	}},
}

// forEachFrailty runs body for each call that can fail in each use.
func forEachFrailty(t *testing.T, fail func(), body func(t *testing.T, ctx context.Context, f *frail, db *aiosql.DB, err error)) {
	for _, u := range frailUses {
		for _, call := range u.calls {
			t.Run(u.name+" "+call, func(t *testing.T) {
				f := &frail{fail: fail}
				run(t, func(ctx context.Context) {
					db, err := aiosql.OpenDB(ctx, sql.OpenDB(f), aiosql.WithMaxConns(1))
					if err != nil {
						t.Fatal(err)
					}
					f.at = call
					err = asyncio.Timeout(ctx, time.Minute, func(ctx context.Context) error { return u.use(ctx, db, frailValue{f}) })
					if f.at != "" {
						t.Fatal("the call was not made")
					}
					body(t, ctx, f, db, err)
					if got, err := aiosql.QueryRow[int](ctx, db, "anything"); got != 1 || err != nil {
						t.Errorf("the next query = %d, %v", got, err)
					}
					if err := db.Close(ctx); err != nil {
						t.Errorf("Close = %v", err)
					}
				})
				if f.opened.Load() != f.closed.Load() {
					t.Errorf("%d connections were opened, %d closed", f.opened.Load(), f.closed.Load())
				}
			})
		}
	}
}

func TestDriver_panicsInAnyCall_isAPanicErrorAndTheConnectionIsClosed(t *testing.T) {
	why := errors.New("broken driver")
	forEachFrailty(t, func() { panic(why) }, func(t *testing.T, ctx context.Context, f *frail, db *aiosql.DB, err error) {
		if _, ok := errors.AsType[*asyncio.PanicError](err); !ok || !errors.Is(err, why) {
			t.Errorf("error = %v, want the panic", err)
		}
		if f.closed.Load() != 1 {
			t.Error("the connection is kept, though nobody knows its state")
		}
	})
}

func TestDriver_endsItsGoroutine_isErrGoexitAndTheConnectionIsClosed(t *testing.T) {
	forEachFrailty(t, runtime.Goexit, func(t *testing.T, ctx context.Context, f *frail, db *aiosql.DB, err error) {
		if !errors.Is(err, asyncio.ErrGoexit) {
			t.Errorf("error = %v, want ErrGoexit", err)
		}
		if f.closed.Load() != 1 {
			t.Error("the connection is kept, though nobody knows its state")
		}
	})
}

func TestOpen_driverPanics_leavesNothingOpen(t *testing.T) {
	for _, call := range []string{"connect", "ping"} {
		t.Run(call, func(t *testing.T) {
			f := &frail{at: call, fail: func() { panic("broken driver") }}
			run(t, func(ctx context.Context) {
				_, err := aiosql.OpenDB(ctx, sql.OpenDB(f))
				if _, ok := errors.AsType[*asyncio.PanicError](err); !ok {
					t.Errorf("OpenDB = %v, want the panic", err)
				}
			})
			if f.opened.Load() != f.closed.Load() {
				t.Errorf("%d connections were opened, %d closed", f.opened.Load(), f.closed.Load())
			}
		})
	}
}

// What panics after the program has left has nobody to be returned to.
func TestDriver_panicsWhereNoErrorIsReturned_isReported(t *testing.T) {
	for call, use := range map[string]func(ctx context.Context, db *aiosql.DB) error{
		"close rows": func(ctx context.Context, db *aiosql.DB) error {
			for range aiosql.Query[int](ctx, db, "anything") {
				break
			}
			return nil
		},
		"rollback": func(ctx context.Context, db *aiosql.DB) error {
			return db.Tx(ctx, func(context.Context, *aiosql.Tx) error { return errEnough })
		},
	} {
		t.Run(call, func(t *testing.T) {
			f := &frail{fail: func() { panic("broken driver") }}
			run(t, func(ctx context.Context) {
				var reported []string
				asyncio.RunningLoop(ctx).SetExceptionHandler(func(info asyncio.ExceptionInfo) {
					reported = append(reported, info.Message+": "+info.Err.Error())
				})
				db, err := aiosql.OpenDB(ctx, sql.OpenDB(f), aiosql.WithMaxConns(1))
				if err != nil {
					t.Fatal(err)
				}
				f.at = call
				if err := use(ctx, db); err != nil && err != errEnough {
					t.Error(err)
				}
				if len(reported) != 1 || !strings.Contains(reported[0], "broken driver") {
					t.Errorf("reported: %q", reported)
				}
				if err := db.Close(ctx); err != nil {
					t.Errorf("Close = %v", err)
				}
			})
			if f.opened.Load() != f.closed.Load() {
				t.Errorf("%d connections were opened, %d closed", f.opened.Load(), f.closed.Load())
			}
		})
	}
}

var errEnough = errors.New("enough")

func TestSQLite_valuerPanics_theDatabaseInMemoryIsKept(t *testing.T) {
	run(t, func(ctx context.Context) {
		db := openMemory(t, ctx)
		mustExec(t, ctx, db, "CREATE TABLE t (i)")
		mustExec(t, ctx, db, "INSERT INTO t VALUES (1)")
		v := frailValue{&frail{at: "value", fail: func() { panic("in Value") }}}
		_, err := aiosql.QueryRow[int](ctx, db, "SELECT ?", v)
		if _, ok := errors.AsType[*asyncio.PanicError](err); !ok || !strings.Contains(err.Error(), "in Value") {
			t.Errorf("QueryRow = %v, want the panic", err)
		}
		if n := mustCount(t, ctx, db, "t"); n != 1 {
			t.Errorf("the table has %d rows, want 1", n)
		}
	})
}
