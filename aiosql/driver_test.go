package aiosql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiosql"
)

// fake is a driver whose behaviour a test decides; it notices when two use a
// connection at once.
type fake struct {
	exec    func(ctx context.Context, c *fakeConn) error
	begin   func(ctx context.Context) error
	commit  func() error
	opened  atomic.Int64
	closed  atomic.Int64
	rolled  atomic.Int64
	active  atomic.Int64 // calls under way
	most    atomic.Int64 // of them at once
	clashes atomic.Int64 // calls on a connection that was in use
}

func (f *fake) Driver() driver.Driver { return nil }

func (f *fake) Connect(context.Context) (driver.Conn, error) {
	return &fakeConn{fake: f, number: f.opened.Add(1)}, nil
}

// open makes a DB of the fake.
func (f *fake) open(t *testing.T, ctx context.Context, opts ...aiosql.Option) *aiosql.DB {
	t.Helper()
	db, err := aiosql.OpenDB(ctx, sql.OpenDB(f), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

type fakeConn struct {
	*fake
	number int64
	busy   atomic.Bool
}

func (c *fakeConn) use(call func() error) error {
	c.most.Store(max(c.most.Load(), c.active.Add(1)))
	if c.busy.Swap(true) {
		c.clashes.Add(1)
	}
	defer func() {
		c.busy.Store(false)
		c.active.Add(-1)
	}()
	if call == nil {
		return nil
	}
	return call()
}

func (c *fakeConn) ExecContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.ResultNoRows, c.use(func() error { return c.exec(ctx, c) })
}

func (c *fakeConn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	return c, c.use(func() error {
		if c.begin == nil {
			return nil
		}
		return c.begin(ctx)
	})
}

func (c *fakeConn) Commit() error { return c.use(c.commit) }

func (c *fakeConn) Rollback() error {
	return c.use(func() error { c.rolled.Add(1); return nil })
}

func (c *fakeConn) Close() error                        { c.closed.Add(1); return nil }
func (c *fakeConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not prepared") }
func (c *fakeConn) Begin() (driver.Tx, error)           { return nil, errors.New("not begun") }

func TestCancel_driverThatIgnoresIt_isWaitedFor(t *testing.T) {
	run(t, func(ctx context.Context) {
		release, started := make(chan struct{}), make(chan struct{})
		f := &fake{exec: func(context.Context, *fakeConn) error {
			close(started)
			<-release
			return nil
		}}
		db := f.open(t, ctx)
		task := asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := db.Exec(ctx, "anything")
			return err
		})
		asyncio.ToThread(ctx, func() (asyncio.None, error) { <-started; return asyncio.None{}, nil })
		task.Cancel()
		for range 1000 {
			asyncio.Yield(ctx)
		}
		if task.Done() {
			t.Error("Exec returned while the driver was still using the connection")
		}
		close(release)
		if _, err := task.Await(ctx); err != nil {
			t.Errorf("Exec = %v, want the success that the driver reported", err)
		}
	})
}

func TestCancel_endOfRun_waitsForTheDriver(t *testing.T) {
	f := &fake{exec: func(ctx context.Context, _ *fakeConn) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	var left *asyncio.Task[asyncio.None]
	run(t, func(ctx context.Context) {
		db := f.open(t, ctx)
		left = asyncio.Go(ctx, func(ctx context.Context) error {
			_, err := db.Exec(ctx, "anything")
			return err
		})
		asyncio.Yield(ctx)
	})
	if !left.Done() || f.active.Load() != 0 {
		t.Errorf("after Run the task is done: %v; calls in the driver: %d", left.Done(), f.active.Load())
	}
	if f.opened.Load() != f.closed.Load() {
		t.Errorf("%d connections were opened, %d closed", f.opened.Load(), f.closed.Load())
	}
}

func TestExec_connectionsThatTheServerClosed_areReplaced(t *testing.T) {
	run(t, func(ctx context.Context) {
		stale := int64(0) // connections up to this number are
		f := &fake{exec: func(_ context.Context, c *fakeConn) error {
			if c.number <= atomic.LoadInt64(&stale) {
				return driver.ErrBadConn
			}
			return nil
		}}
		db := f.open(t, ctx, aiosql.WithMaxConns(4))
		statement := func(ctx context.Context) (sql.Result, error) { return db.Exec(ctx, "anything") }
		asyncio.Gather(ctx, statement, statement, statement, statement)
		atomic.StoreInt64(&stale, f.opened.Load())
		if _, err := statement(ctx); err != nil {
			t.Errorf("Exec = %v, want it on a new connection", err)
		}
		atomic.StoreInt64(&stale, 1000)
		if _, err := statement(ctx); !errors.Is(err, driver.ErrBadConn) {
			t.Errorf("Exec = %v, want ErrBadConn when there is no good connection", err)
		}
	})
}

func TestPool_manyStatements_neverMoreAtOnceThanConnections(t *testing.T) {
	run(t, func(ctx context.Context) {
		f := &fake{exec: func(context.Context, *fakeConn) error { return nil }}
		db := f.open(t, ctx, aiosql.WithMaxConns(3))
		asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
			for range 200 {
				g.Go(func(ctx context.Context) error { _, err := db.Exec(ctx, "anything"); return err })
			}
			return nil
		})
		if f.most.Load() > 3 || f.opened.Load() > 3 || f.clashes.Load() > 0 {
			t.Errorf("at most %d at once on %d connections, %d clashes", f.most.Load(), f.opened.Load(), f.clashes.Load())
		}
	})
}

func TestTx_cancelledInBegin_isRolledBackBeforeTxReturns(t *testing.T) {
	run(t, func(ctx context.Context) {
		var task *asyncio.Task[asyncio.None]
		started := make(chan struct{})
		f := &fake{begin: func(ctx context.Context) error {
			close(started)
			<-ctx.Done()
			return nil // too late: it has begun
		}}
		db := f.open(t, ctx)
		task = asyncio.Go(ctx, func(ctx context.Context) error {
			err := db.Tx(ctx, func(context.Context, *aiosql.Tx) error {
				t.Error("the block was run")
				return nil
			})
			if f.rolled.Load() != 1 || f.active.Load() != 0 {
				t.Errorf("when Tx returned: %d rollbacks, %d calls in the driver", f.rolled.Load(), f.active.Load())
			}
			return err
		})
		asyncio.ToThread(ctx, func() (asyncio.None, error) { <-started; return asyncio.None{}, nil })
		task.Cancel()
		if _, err := task.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Tx = %v, want Canceled", err)
		}
	})
}

func TestTx_commitFails_theErrorIsReturnedAndTheConnectionDropped(t *testing.T) {
	run(t, func(ctx context.Context) {
		full := errors.New("disk full")
		f := &fake{commit: func() error { return full }}
		db := f.open(t, ctx)
		if err := db.Tx(ctx, func(context.Context, *aiosql.Tx) error { return nil }); !errors.Is(err, full) {
			t.Errorf("Tx = %v, want what the commit said", err)
		}
		if f.closed.Load() != 1 {
			t.Error("the connection is kept, with a transaction in an unknown state")
		}
	})
}

func TestTx_usedByManyCoroutines_theDriverIsEnteredByOneAtATime(t *testing.T) {
	run(t, func(ctx context.Context) {
		f := &fake{exec: func(context.Context, *fakeConn) error { return nil }}
		db := f.open(t, ctx)
		db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			return asyncio.Group(ctx, func(ctx context.Context, g *asyncio.TaskGroup) error {
				for range 100 {
					g.Go(func(ctx context.Context) error { _, err := tx.Exec(ctx, "anything"); return err })
				}
				return nil
			})
		})
		if f.most.Load() != 1 || f.clashes.Load() != 0 {
			t.Errorf("at most %d at once, %d clashes", f.most.Load(), f.clashes.Load())
		}
	})
}

func TestTx_stillUsedByAnotherTaskWhenItsBlockEnds_endsAfterThat(t *testing.T) {
	run(t, func(ctx context.Context) {
		release, started := make(chan struct{}), make(chan struct{})
		f := &fake{exec: func(context.Context, *fakeConn) error {
			close(started)
			<-release
			return nil
		}}
		db := f.open(t, ctx)
		var other *asyncio.Task[asyncio.None]
		err := db.Tx(ctx, func(ctx context.Context, tx *aiosql.Tx) error {
			other = asyncio.Go(ctx, func(ctx context.Context) error { _, err := tx.Exec(ctx, "anything"); return err })
			asyncio.ToThread(ctx, func() (asyncio.None, error) { <-started; return asyncio.None{}, nil })
			asyncio.RunningLoop(ctx).CallSoon(func() { close(release) })
			return nil
		})
		if !other.Done() && f.active.Load() > 0 {
			t.Error("Tx returned while a statement ran in it")
		}
		if _, otherErr := other.Await(ctx); err != nil || otherErr != nil || f.clashes.Load() > 0 {
			t.Errorf("Tx = %v, the statement = %v, %d clashes", err, otherErr, f.clashes.Load())
		}
	})
}
