package aiosql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// ErrClosed is returned by what is called on a DB after Close.
var ErrClosed = errors.New("aiosql: the database is closed")

// A DB is a database with a pool of connections. It belongs to one loop; all coroutines
// of that loop may use it at once.
type DB struct {
	pool    *sql.DB // never called on the loop
	conns   *asyncio.Semaphore
	max     int // connections
	threads *asyncio.ThreadLimiter
	locking Locking
	held    map[asyncio.AnyTask]*holding
	closed  bool
	forget  func() // takes pool from the loop's list of what it closes at its end
}

// An Option changes how a DB works.
type Option func(*DB)

// WithMaxConns sets how many connections are open at most, and so how many statements
// run at once. The default is 8.
func WithMaxConns(n int) Option { return func(db *DB) { db.max = n } }

// Open opens a database by the name of its database/sql driver and the driver's own
// data source name, and pings it, so that a wrong address or password shows here.
//
// Open waits for the driver. When ctx is cancelled, nothing stays open.
func Open(ctx context.Context, driverName, dsn string, opts ...Option) (*DB, error) {
	return open(ctx, "open "+driverName, func() (*sql.DB, error) { return sql.Open(driverName, dsn) }, opts)
}

// OpenDB is Open for a pool of database/sql that is set up already, for instance by
// sql.OpenDB(connector). The DB takes it over, and closes it also when OpenDB fails. A
// limit set by its SetMaxOpenConns holds.
func OpenDB(ctx context.Context, pool *sql.DB, opts ...Option) (*DB, error) {
	db, err := open(ctx, "open", func() (*sql.DB, error) { return pool, nil }, opts)
	if err != nil {
		pool.Close() // closed already, unless the thread was never begun
	}
	return db, err
}

func open(ctx context.Context, what string, newPool func() (*sql.DB, error), opts []Option) (*DB, error) {
	db := &DB{max: 8}
	for _, opt := range opts {
		opt(db)
	}
	_, err := asyncio.ToThread(context.WithoutCancel(ctx), func() (asyncio.None, error) {
		return asyncio.None{}, db.connect(ctx, newPool)
	})
	if err != nil {
		return nil, fmt.Errorf("aiosql: %s: %w", what, causeFirst(ctx, err))
	}
	db.held = map[asyncio.AnyTask]*holding{}
	db.conns = asyncio.NewSemaphore(db.max)
	db.threads = asyncio.NewThreadLimiter(db.max + 1) // one for Close
	db.forget = engine.MustLoopOf("aiosql", ctx).AddCloser(loopEnd{db})
	return db, nil
}

// loopEnd closes the database because the loop has ended.
type loopEnd struct{ db *DB }

func (e loopEnd) Close() error { return e.db.pool.Close() }

// Leak names the database in the report of what was never closed.
func (e loopEnd) Leak() (any, string) { return e.db, "a database was never closed" }

// connect makes the pool and its first connection, in a thread.
func (db *DB) connect(ctx context.Context, newPool func() (*sql.DB, error)) error {
	pool, err := newPool()
	if err != nil {
		return err
	}
	connected := false
	defer func() { // deferred, as the driver may panic
		if !connected {
			pool.Close()
		}
	}()
	if limit := pool.Stats().MaxOpenConnections; limit > 0 {
		db.max = min(db.max, limit)
	}
	if db.max < 1 {
		return fmt.Errorf("WithMaxConns(%d): at least one connection is needed", db.max)
	}
	db.pool = pool
	pool.SetMaxIdleConns(db.max)
	pool.SetMaxOpenConns(0) // conns is the limit; database/sql would count an abandoned lease for ever
	l, err := db.start(ctx, func(conn *sql.Conn) error { return conn.PingContext(ctx) })
	if err != nil {
		return err
	}
	l.close()
	connected = true
	return nil
}

// Close refuses new statements, and those that wait for a connection, with ErrClosed,
// and waits until those under way have ended and all connections are closed. Closing
// again does nothing. Do not call it from within a Tx block or a range over Query of
// the same DB: it would wait for itself.
//
// When ctx is cancelled, Close returns at once; what is under way closes its connection
// when it ends.
func (db *DB) Close(ctx context.Context) error {
	if _, err := worlds.LoopOf(ctx); err != nil {
		return fmt.Errorf("aiosql: close: %w", err)
	}
	if db.closed {
		return nil
	}
	db.closed = true
	db.forget()
	_, err := inThread(ctx, db, func() (asyncio.None, error) { return asyncio.None{}, db.pool.Close() })
	for range db.max {
		if cause := db.conns.Acquire(ctx); cause != nil {
			return fmt.Errorf("aiosql: close: %w", cause)
		}
		defer db.conns.Release()
	}
	if err != nil {
		return fmt.Errorf("aiosql: close: %w", err)
	}
	return nil
}

// inThread runs fn in one of the DB's threads and waits until it has returned, whatever
// becomes of ctx: fn passes ctx to the driver, which is how cancellation gets there.
func inThread[T any](ctx context.Context, db *DB, fn func() (T, error)) (T, error) {
	return asyncio.ToThreadIn(context.WithoutCancel(ctx), db.threads, fn)
}

// enter waits for a connection to be free for a statement.
func (db *DB) enter(ctx context.Context, query string) error {
	return db.take(ctx, func() bool { return writing.MatchString(query) })
}

// take waits for a connection to be free for what may write.
func (db *DB) take(ctx context.Context, writes func() bool) error {
	if err := db.refusal(ctx, writes); err != nil {
		return err
	}
	if err := db.conns.Acquire(ctx); err != nil {
		return err
	}
	if db.closed {
		db.conns.Release()
		return ErrClosed
	}
	return nil
}

func (db *DB) leave() { db.conns.Release() }

// holdRows notes that the task holds the connection of the rows that it reads.
func (db *DB) holdRows(ctx context.Context) *hold { return db.hold(ctx, false) }

// turn is always there: the statement has the connection for itself.
func (db *DB) turn(context.Context, openRows) (func(bool, error), error) {
	return func(bool, error) {}, nil
}

func (db *DB) database() *DB { return db }
