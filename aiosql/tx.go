package aiosql

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/go-asyncio/asyncio"
)

// A Tx is a transaction: what its statements change is seen by others when its block
// has ended well, all at once, or never. Several coroutines may use it; their
// statements run one after the other.
type Tx struct {
	db     *DB
	began  began
	lock   asyncio.Lock // one step of one statement at a time
	open   openRows     // the range over a Query that is under way, if there is one
	ended  bool
	broken error // why it is rolled back whatever its block says
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
// A statement that was cancelled, or whose driver panicked, makes the transaction
// useless: it is rolled back even if fn goes on.
//
// Tx waits for a connection, which stays taken for the length of the block, and for the
// driver. A commit that has begun is not cancelled, so that its outcome is known. A
// statement of fn that runs on db itself, not on tx, is [ErrWaitsForItself] where it would
// wait for this transaction.
func (db *DB) Tx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) (err error) {
	var options sql.TxOptions
	for _, opt := range opts {
		opt(&options)
	}
	if err := db.take(ctx, func() bool { return !options.ReadOnly }); err != nil {
		return fmt.Errorf("aiosql: begin: %w", err)
	}
	defer db.leave()
	defer db.hold(ctx, !options.ReadOnly).end()
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

// began is a driver's transaction and its connection. It is not a sql.Tx, since that
// rolls back on a goroutine of its own when its context ends, which nobody could wait
// for, and which never ends once a driver has panicked in the transaction.
type began struct {
	lease  *lease
	tx     driver.Tx
	cancel context.CancelFunc // of the context that the driver got
}

// begin begins, in a thread. Some drivers roll back in the background when the context
// of BeginTx ends, so that context listens to ctx only until BeginTx is through: after
// that we roll back, and know when it is done.
func (db *DB) begin(ctx context.Context, options *sql.TxOptions) (b began, err error) {
	beginCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.cancel = cancel
	began := false
	defer func() {
		if !began {
			cancel()
		}
	}()
	stop := context.AfterFunc(ctx, cancel)
	b.lease, err = db.start(ctx, func(conn *sql.Conn) error {
		return conn.Raw(func(c any) (err error) { b.tx, err = beginTx(beginCtx, c.(driver.Conn), options); return err })
	})
	if inTime := stop(); !inTime && err == nil {
		_ = b.end(false)
		err = context.Cause(ctx)
	}
	began = err == nil
	return b, err
}

// beginTx begins on a connection of a driver, as database/sql does.
func beginTx(ctx context.Context, c driver.Conn, options *sql.TxOptions) (driver.Tx, error) {
	if c, ok := c.(driver.ConnBeginTx); ok {
		return c.BeginTx(ctx, driver.TxOptions{Isolation: driver.IsolationLevel(options.Isolation), ReadOnly: options.ReadOnly})
	}
	if options.Isolation != sql.LevelDefault || options.ReadOnly {
		return nil, errors.New("the driver knows neither isolation levels nor read-only transactions")
	}
	return c.Begin() //lint:ignore SA1019 old drivers have nothing else
}

// end commits or rolls back and gives the connection back, whatever becomes of ctx. It
// waits for statements of other coroutines.
func (tx *Tx) end(ctx context.Context, commit bool) error {
	if err := tx.lock.Acquire(context.WithoutCancel(ctx)); err == nil {
		defer tx.lock.Release()
	}
	refusal := tx.refusal()
	allowed := commit && refusal == nil
	tx.ended = true
	_, err := inThread(ctx, tx.db, func() (asyncio.None, error) { return asyncio.None{}, tx.began.end(allowed) })
	if !allowed {
		reportPanic(ctx, "a rollback", err)
	}
	if err = cmp.Or(refusal, err); err != nil && commit {
		return fmt.Errorf("aiosql: commit: %w", err)
	}
	return nil
}

// end commits or rolls back, in a thread. A connection on which that fails is closed,
// by which every database rolls back; so no error of a rollback matters.
func (b *began) end(commit bool) error {
	defer b.cancel()
	defer b.lease.close()
	if b.lease.broken.Load() {
		return nil
	}
	end := b.tx.Rollback
	if commit {
		end = b.tx.Commit
	}
	var failed error
	err := b.lease.do(func() error {
		return b.lease.conn.Raw(func(any) error {
			if failed = end(); failed != nil {
				return driver.ErrBadConn // drops it from the pool
			}
			return nil
		})
	})
	if !commit {
		return nil
	}
	return cmp.Or(failed, err)
}

// Exec runs a statement that has no rows to return, in the transaction.
//
// Exec waits for statements of other coroutines in the same transaction and for the
// driver. Cancelling ctx cancels the statement, and with it the transaction.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return exec(ctx, tx, query, args)
}

// enter has nothing to wait for: the block has the connection.
func (tx *Tx) enter(context.Context, string) error { return nil }

func (tx *Tx) leave() {}

func (tx *Tx) holdRows(context.Context) *hold { return nil }

// turn waits until no other statement uses the connection. A connection has one result at
// a time (most drivers refuse a second one), so rows that are still to be fetched by a
// range are read into memory before another statement starts.
func (tx *Tx) turn(ctx context.Context, own openRows) (func(bool, error), error) {
	if err := tx.lock.Acquire(ctx); err != nil {
		return nil, err
	}
	err := tx.refusal()
	if err == nil && tx.open != nil && tx.open != own {
		_, err = inThread(ctx, tx.db, func() (asyncio.None, error) { return asyncio.None{}, tx.open.buffer(ctx) })
	}
	if err != nil {
		tx.lock.Release()
		return nil, err
	}
	tx.open = nil
	return func(open bool, err error) {
		if open {
			tx.open = own
		}
		switch {
		case tx.broken != nil:
		case tx.began.lease.broken.Load():
			tx.broken = fmt.Errorf("the driver panicked in a statement in it: %w", err)
		case err != nil && ctx.Err() != nil: // some databases roll back then
			tx.broken = fmt.Errorf("a statement in it was cancelled: %w", context.Cause(ctx))
		}
		tx.lock.Release()
	}, nil
}

// refusal is why the transaction takes no more statements, or nil.
func (tx *Tx) refusal() error {
	switch {
	case tx.ended:
		return sql.ErrTxDone
	case tx.broken != nil:
		return fmt.Errorf("the transaction is rolled back, since %w", tx.broken)
	}
	return nil
}

func (tx *Tx) database() *DB { return tx.db }

// start runs a statement on the transaction's own connection.
func (tx *Tx) start(_ context.Context, first func(*sql.Conn) error) (*lease, error) {
	l := tx.began.lease
	return l, l.do(func() error { return first(l.conn) })
}

// finish has nothing to do: the block has the connection.
func (tx *Tx) finish(*lease) {}
