package aiosql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// A Querier is where statements run: a *DB, each on a connection of its own, or a *Tx.
type Querier interface {
	// Exec runs a statement that has no rows to return.
	Exec(ctx context.Context, query string, args ...any) (sql.Result, error)

	// enter waits for a connection, which is the statement's until leave.
	enter(ctx context.Context, query string) error
	leave()
	// holdRows notes that the caller's code will run while the connection is taken. It is
	// nil where that takes no connection.
	holdRows(ctx context.Context) *hold
	// turn waits until the connection is free for one step of a statement, whose open
	// rows, if it has any, are own. After the step, done says whether they stay open.
	turn(ctx context.Context, own openRows) (done func(open bool, err error), err error)
	// start runs the beginning of a statement, in a thread. If that succeeds, the caller
	// gives the lease back with finish, in a thread too.
	start(ctx context.Context, first func(*sql.Conn) error) (*lease, error)
	finish(l *lease)
	database() *DB
}

// Exec runs a statement that has no rows to return, such as INSERT or CREATE TABLE.
//
// Exec waits for a connection and for the driver. Cancelling ctx cancels the
// statement; one that has been done by then keeps its result.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return exec(ctx, db, query, args)
}

func exec(ctx context.Context, q Querier, query string, args []any) (_ sql.Result, err error) {
	if err := q.enter(ctx, query); err != nil {
		return nil, wrap(ctx, "exec", query, err)
	}
	defer q.leave()
	done, err := q.turn(ctx, nil)
	if err != nil {
		return nil, wrap(ctx, "exec", query, err)
	}
	defer func() { done(false, err) }()
	res, err := inThread(ctx, q.database(), func() (result, error) {
		var res result
		l, err := q.start(ctx, func(conn *sql.Conn) error {
			r, err := conn.ExecContext(ctx, query, args...)
			if err == nil {
				res = read(r)
			}
			return err
		})
		if err == nil {
			q.finish(l)
		}
		return res, err
	})
	if err != nil {
		return nil, wrap(ctx, "exec", query, err)
	}
	return res, nil
}

// result is a sql.Result that was read in the thread: database/sql's own locks the
// connection to answer, and would block the loop while another statement runs on it.
type result struct {
	lastInsertID, rowsAffected int64
	lastErr, affectedErr       error
}

func read(r sql.Result) (res result) {
	res.lastInsertID, res.lastErr = r.LastInsertId()
	res.rowsAffected, res.affectedErr = r.RowsAffected()
	return res
}

func (r result) LastInsertId() (int64, error) { return r.lastInsertID, r.lastErr }
func (r result) RowsAffected() (int64, error) { return r.rowsAffected, r.affectedErr }

// wrap says which statement failed.
func wrap(ctx context.Context, what, query string, err error) error {
	return fmt.Errorf("aiosql: %s %s: %w", what, excerpt(query), causeFirst(ctx, err))
}

// causeFirst puts the cause of ctx, if it has ended, before the driver's words for it,
// which differ from driver to driver.
func causeFirst(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil || err == cause:
		return err
	case err == ctx.Err():
		return cause
	default:
		return fmt.Errorf("%w (%w)", cause, err)
	}
}

// excerpt is the beginning of a statement, on one line and in quotes.
func excerpt(query string) string {
	const limit = 60
	text := []rune(strings.Join(strings.Fields(query), " "))
	if len(text) > limit {
		text = append(text[:limit], '…')
	}
	return fmt.Sprintf("%q", string(text))
}
