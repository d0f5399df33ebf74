package aiosql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/go-asyncio/asyncio"
)

// A Tx is a transaction: what its statements change is seen by others when its block
// has ended well, all at once, or never. Several coroutines may use it; their
// statements run one after the other.
type Tx struct {
	db     *DB
	began  began
	lock   asyncio.Lock // one statement at a time
	ended  bool
	broken error // a statement was cancelled, and some databases roll back then
}

// A TxOption changes how a transaction begins.
type TxOption func(*sql.TxOptions)

// ReadOnly makes a transaction that may change nothing, where the driver knows that.
func ReadOnly() TxOption { return func(o *sql.TxOptions) { o.ReadOnly = true } }

// Isolation sets the isolation level, where the driver knows it.
func Isolation(level sql.IsolationLevel) TxOption {
	return func(o *sql.TxOptions) { o.Isolation = level }
}

// Tx runs fn as a transaction. It commits when fn returns nil, and rolls back when fn
// returns an error (which is returned as it is), panics, or when ctx has ended by then.
// A statement that was cancelled makes the transaction useless: it is rolled back even
// if fn goes on.
//
// Tx waits for a connection, which stays taken for the length of the block, and for the
// driver. A commit that has begun is not cancelled, so that its outcome is known.
func (db *DB) Tx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) (err error) {
	if err := db.enter(ctx); err != nil {
		return fmt.Errorf("aiosql: begin: %w", err)
	}
	defer func() { db.leave(ctx, err) }()
	var options sql.TxOptions
	for _, opt := range opts {
		opt(&options)
	}
	tx := &Tx{db: db}
	tx.began, err = inThread(ctx, db, func() (began, error) { return db.begin(ctx, &options) })
	if err != nil {
		return fmt.Errorf("aiosql: begin: %w", causeFirst(ctx, err))
	}
	commit := false
	defer func() { // deferred, so that a panic of fn rolls back on its way
		if endErr := tx.end(ctx, commit); err == nil {
			err = endErr
		}
	}()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("aiosql: commit: %w", cause)
	}
	commit = true
	return nil
}

// began is a transaction of database/sql and its connection.
type began struct {
	conn   *sql.Conn
	tx     *sql.Tx
	cancel context.CancelFunc // for what BeginTx made of its context
}

// begin begins, in a thread. database/sql rolls back on a goroutine of its own when the
// context of BeginTx ends, so that context listens to ctx only until BeginTx is through:
// after that we roll back, and know when it is done.
func (db *DB) begin(ctx context.Context, options *sql.TxOptions) (b began, err error) {
	beginCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.cancel = cancel
	stop := context.AfterFunc(ctx, cancel)
	b.conn, err = db.start(ctx, func(e executor) (err error) {
		b.tx, err = e.(*sql.Conn).BeginTx(beginCtx, options)
		return err
	})
	if inTime := stop(); !inTime && err == nil {
		b.tx.Rollback()
		b.conn.Close() // waits for database/sql's own rollback
		err = context.Cause(ctx)
	}
	if err != nil {
		cancel()
	}
	return b, err
}

// end commits or rolls back and gives the connection back, whatever becomes of ctx. It
// waits for statements of other coroutines.
func (tx *Tx) end(ctx context.Context, commit bool) error {
	if err := tx.lock.Acquire(context.WithoutCancel(ctx)); err == nil {
		defer tx.lock.Release()
	}
	tx.ended = true
	if commit && tx.broken != nil {
		inThread(ctx, tx.db, func() (asyncio.None, error) { return asyncio.None{}, tx.began.end(false) })
		return tx.refusal()
	}
	_, err := inThread(ctx, tx.db, func() (asyncio.None, error) { return asyncio.None{}, tx.began.end(commit) })
	if err != nil {
		return fmt.Errorf("aiosql: commit: %w", err)
	}
	return nil
}

// end commits or rolls back, in a thread. A connection on which that fails is closed,
// by which every database rolls back; so no error of a rollback matters.
func (b *began) end(commit bool) error {
	defer b.cancel()
	defer b.conn.Close()
	end := b.tx.Rollback
	if commit {
		end = b.tx.Commit
	}
	err := end()
	if err == nil {
		return nil
	}
	b.conn.Raw(func(any) error { return driver.ErrBadConn }) // drops it from the pool
	if !commit {
		return nil
	}
	return err
}

// Exec runs a statement that has no rows to return, in the transaction.
//
// Exec waits for statements of other coroutines in the same transaction and for the
// driver. Cancelling ctx cancels the statement, and with it the transaction.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return exec(ctx, tx, query, args)
}

// enter waits for the statement before to be done.
func (tx *Tx) enter(ctx context.Context) error {
	if err := tx.lock.Acquire(ctx); err != nil {
		return err
	}
	err := tx.refusal()
	if tx.ended {
		err = sql.ErrTxDone
	}
	if err != nil {
		tx.lock.Release()
	}
	return err
}

func (tx *Tx) refusal() error {
	if tx.broken == nil {
		return nil
	}
	return fmt.Errorf("aiosql: the transaction is rolled back, since a statement in it was cancelled: %w", tx.broken)
}

func (tx *Tx) leave(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil && tx.broken == nil {
		tx.broken = context.Cause(ctx)
	}
	tx.lock.Release()
}

func (tx *Tx) database() *DB { return tx.db }

// start runs a statement on the transaction's own connection.
func (tx *Tx) start(_ context.Context, first func(executor) error) (*sql.Conn, error) {
	return nil, first(tx.began.tx)
}
