package aiosql

import (
	"cmp"
	"context"
	"database/sql"
	"iter"
	"sync"

	"github.com/go-asyncio/asyncio"
)

const (
	maxBatchRows  = 512
	maxBatchBytes = 1 << 20 // of text and blobs; a single larger row still makes a batch
)

// Query runs a statement and iterates over its rows:
//
//	for page, err := range aiosql.Query[Page](ctx, db, "SELECT url, title FROM pages") {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// T is a struct, whose fields take the columns of their names, or the type of the only
// column: a basic type, time.Time, []byte, anything with a Scan method, or a pointer to
// one of these for a column that may be NULL, or sql.Null. The name of a field is that
// in its tag, as in `db:"created_at"`, else its own, without regard to case and
// underscores (CreatedAt). Each column needs a field; fields without column stay zero.
//
// An error is the last thing that is yielded. Each range over the result runs the
// statement again. While the loop's body waits, the connection stays taken; in a
// transaction other statements may use it meanwhile, in the body as well, and the first
// one to do so has the rows that are left read into memory.
//
// The range waits for a connection, for each batch of rows, and, if it is left early,
// for the statement to be closed, for which some drivers read the rows that are left.
// Cancelling ctx cancels the statement: the rows that were fetched by then are yielded,
// then the error.
func Query[T any](ctx context.Context, q Querier, query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		var err error
		if err = q.enter(ctx, query); err != nil {
			yield(zero, wrap(ctx, "query", query, err))
			return
		}
		defer q.leave()
		held := q.holdRows(ctx)
		defer held.end()
		c := &cursor[T]{q: q, query: query, args: args}
		var page page[T]
		defer func() {
			if !page.last {
				c.close(ctx)
			}
		}()
		for !page.last && err == nil {
			page, err = c.next(ctx)
			if page.last {
				held.unlock()
			}
			for i := range page.rows {
				if !yield(page.rows[i], nil) {
					return
				}
			}
		}
		if err != nil {
			yield(zero, wrap(ctx, "query", query, err))
		}
	}
}

// QueryRow runs a statement and returns its first row; see [Query] for T. Without a row
// the error is sql.ErrNoRows.
//
// QueryRow waits for a connection and for the driver. Cancelling ctx cancels the
// statement; a row that was there by then is returned.
func QueryRow[T any](ctx context.Context, q Querier, query string, args ...any) (row T, err error) {
	if err := q.enter(ctx, query); err != nil {
		return row, wrap(ctx, "query row", query, err)
	}
	defer q.leave()
	done, err := q.turn(ctx, nil)
	if err != nil {
		return row, wrap(ctx, "query row", query, err)
	}
	defer func() { done(false, err) }()
	c := &cursor[T]{q: q, query: query, args: args}
	row, err = inThread(ctx, q.database(), func() (T, error) { return c.only(ctx) })
	if err != nil {
		var zero T
		return zero, wrap(ctx, "query row", query, err)
	}
	return row, nil
}

// Collect returns all rows of a [Query] as a slice, or the rows until an error and the
// error.
func Collect[T any](rows iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for row, err := range rows {
		if err != nil {
			return all, err
		}
		all = append(all, row)
	}
	return all, nil
}

// openRows is what a transaction knows of a cursor.
type openRows interface {
	buffer(ctx context.Context) error
}

// cursor is a statement whose rows are being read. Only threads touch what is below mu,
// mostly one after the other: mu is for a loop that is closed under a task whose thread
// still runs.
type cursor[T any] struct {
	q     Querier
	query string
	args  []any

	mu    sync.Mutex
	lease *lease
	rows  *sql.Rows // nil when not open
	scan  *scanner[T]
	batch []T
	limit int // rows in the next batch
	ended bool

	rest    []T   // rows that were read into memory to make way
	restErr error // how that ended
}

// page is a batch of rows; with the last one the statement is closed.
type page[T any] struct {
	rows []T
	last bool
}

// next fetches a batch. It may bring rows and an error.
func (c *cursor[T]) next(ctx context.Context) (p page[T], err error) {
	done, err := c.q.turn(ctx, c)
	if err != nil {
		return p, err
	}
	defer func() { done(!p.last && err == nil, err) }()
	return inThread(ctx, c.q.database(), func() (page[T], error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.rows == nil {
			if err := c.open(ctx); err != nil {
				return page[T]{last: true}, err
			}
		}
		if c.ended || len(c.rest) > 0 {
			rest := c.rest
			c.rest = nil
			return page[T]{rest, c.ended}, c.restErr
		}
		more := false
		err = c.lease.do(func() (err error) { more, err = c.fill(); return err })
		if !more {
			err = cmp.Or(err, c.end())
		}
		return page[T]{c.batch, !more}, err
	})
}

// buffer reads the rows that are left into memory and closes the statement, in a thread.
func (c *cursor[T]) buffer(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.ended {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row, ok, err := c.fetchOne()
		if ok {
			c.rest = append(c.rest, row)
		} else {
			c.restErr = cmp.Or(err, c.end())
		}
	}
	return nil
}

// only fetches the first row and closes.
func (c *cursor[T]) only(ctx context.Context) (row T, err error) {
	defer func() { _ = c.end() }() // if the driver panics
	if err := c.open(ctx); err != nil {
		return row, err
	}
	row, ok, err := c.fetchOne()
	if err = cmp.Or(err, c.end()); err == nil && !ok {
		err = sql.ErrNoRows
	}
	return row, err
}

// close ends a statement that was not read to its end. Nobody asks for the error of
// that, but a panic is a failure of the program.
func (c *cursor[T]) close(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	done, err := c.q.turn(ctx, c)
	if err == nil {
		defer func() { done(false, err) }()
	}
	_, err = inThread(ctx, c.q.database(), func() (asyncio.None, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return asyncio.None{}, c.end()
	})
	reportPanic(ctx, "closing the rows of "+excerpt(c.query), err)
}

// open starts the statement.
func (c *cursor[T]) open(ctx context.Context) (err error) {
	c.lease, err = c.q.start(ctx, func(conn *sql.Conn) (err error) {
		c.rows, err = conn.QueryContext(ctx, c.query, c.args...)
		return err
	})
	if err != nil {
		c.ended = true
		return err
	}
	var columns []string
	err = c.lease.do(func() (err error) { columns, err = c.rows.Columns(); return err })
	if err == nil {
		c.scan, err = newScanner[T](columns)
	}
	if err != nil {
		c.end()
		return err
	}
	c.limit = 1
	return nil
}

// fill reads the next batch. It reports whether there may be more rows.
func (c *cursor[T]) fill() (more bool, err error) {
	clear(c.batch)
	c.batch = c.batch[:0]
	for bytes := 0; len(c.batch) < c.limit && bytes < maxBatchBytes; {
		row, ok, err := c.fetch()
		if !ok {
			return false, err
		}
		bytes += c.scan.weigh(&row)
		c.batch = append(c.batch, row)
	}
	c.limit = min(2*c.limit, maxBatchRows)
	return true, nil
}

// fetchOne is fetch as a step of its own.
func (c *cursor[T]) fetchOne() (row T, ok bool, err error) {
	err = c.lease.do(func() (err error) { row, ok, err = c.fetch(); return err })
	return row, ok, err
}

// fetch reads the next row, if there is one.
func (c *cursor[T]) fetch() (row T, ok bool, err error) {
	if !c.rows.Next() {
		return row, false, c.rows.Err()
	}
	err = c.scan.row(c.rows, &row)
	return row, err == nil, err
}

// end closes what is open. Closing the connection waits for what database/sql may be
// doing to it in the background after a cancellation.
func (c *cursor[T]) end() error {
	if c.ended || c.lease == nil {
		return nil
	}
	c.ended = true
	defer c.q.finish(c.lease)
	if c.lease.broken.Load() { // the rows have to be closed all the same, but the first panic is the one that is reported
		defer func() { _ = recover() }()
	}
	return c.lease.do(c.rows.Close)
}
