package aiosql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
)

// A lease is a connection that a statement or a transaction has for itself. Only threads
// use it, one at a time.
//
// It exists because of drivers, driver.Valuers and sql.Scanners that panic, or call
// runtime.Goexit. database/sql keeps some of its locks then, and its Conn.Close waits
// for them for ever. So each step goes through do, which notices a step that does not
// return, and such a connection is not closed but abandoned.
type lease struct {
	conn   *sql.Conn
	broken atomic.Bool // a step did not return
}

// do runs a step on the connection.
func (l *lease) do(step func() error) error {
	returned := false
	defer func() {
		if !returned {
			l.broken.Store(true)
		}
	}()
	err := step()
	returned = true
	return err
}

// close gives the connection back to the pool. A broken one is abandoned: the driver's
// connection is closed, and database/sql keeps a record of it that nobody uses.
func (l *lease) close() {
	if !l.broken.Load() {
		l.conn.Close()
		return
	}
	_ = l.conn.Raw(func(c any) error {
		defer func() { _ = recover() }() // the first panic is the one that is reported
		_ = c.(driver.Conn).Close()
		return nil
	})
}

// start, in a thread, leases a connection and runs the first statement on it. A
// connection that its server has closed while it was idle shows by ErrBadConn. Then the
// next one is tried, and in the end there is none but a new one.
func (db *DB) start(ctx context.Context, first func(*sql.Conn) error) (*lease, error) {
	var err error
	for range db.max + 1 {
		var conn *sql.Conn
		if conn, err = db.pool.Conn(ctx); err != nil {
			return nil, err
		}
		l := &lease{conn: conn}
		if err = l.start(first); err == nil {
			return l, nil
		}
		if !errors.Is(err, driver.ErrBadConn) {
			return nil, err
		}
	}
	return nil, err
}

// start closes the lease if first fails or panics.
func (l *lease) start(first func(*sql.Conn) error) error {
	started := false
	defer func() {
		if !started {
			l.close()
		}
	}()
	err := l.do(func() error { return first(l.conn) })
	started = err == nil
	return err
}

func (db *DB) finish(l *lease) { l.close() }

// reportPanic reports err if it is a panic, where there is nobody to return it to.
func reportPanic(ctx context.Context, what string, err error) {
	if p, ok := errors.AsType[*asyncio.PanicError](err); ok {
		engine.MustLoopOf("aiosql", ctx).Report(engine.ExceptionInfo{
			Message: "aiosql: " + what + " panicked", Err: p, Context: ctx,
		})
	}
}
