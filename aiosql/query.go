package aiosql

import (
	"cmp"
	"context"
	"database/sql"
	"iter"
	"sync"
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
// transaction the whole transaction does, so that other uses of it wait until the range
// has ended, and one in its body would wait for ever: see [Collect].
//
// The range waits for a connection, for each batch of rows, and, if it is left early,
// for the statement to be closed. Cancelling ctx cancels the statement: the rows that
// were fetched by then are yielded, then the error.
func Query[T any](ctx context.Context, q Querier, query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		var err error
		if err = q.enter(ctx); err != nil {
			yield(zero, wrap(ctx, "query", query, err))
			return
		}
		defer func() { q.leave(ctx, err) }()
		c := &cursor[T]{q: q, query: query, args: args}
		var page page[T]
		defer func() {
			if !page.last {
				c.close(ctx)
			}
		}()
		for !page.last && err == nil {
			page, err = c.next(ctx)
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
	if err := q.enter(ctx); err != nil {
		return row, wrap(ctx, "query row", query, err)
	}
	defer func() { q.leave(ctx, err) }()
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

// cursor is a statement whose rows are being read. Only threads touch its fields, one
// after the other; the mutex is for the one case in which they might meet, when a loop
// is closed under a task whose thread still runs.
type cursor[T any] struct {
	q     Querier
	query string
	args  []any

	mu    sync.Mutex
	conn  *sql.Conn // nil in a transaction
	rows  *sql.Rows // nil when not open
	scan  *scanner[T]
	batch []T
	limit int // rows in the next batch
	ended bool
}

// page is a batch of rows; with the last one the statement is closed.
type page[T any] struct {
	rows []T
	last bool
}

// next fetches a batch. It may bring rows and an error.
func (c *cursor[T]) next(ctx context.Context) (page[T], error) {
	return inThread(ctx, c.q.database(), func() (page[T], error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.rows == nil {
			if err := c.open(ctx); err != nil {
				return page[T]{last: true}, err
			}
		}
		more, err := c.fill()
		if !more {
			err = cmp.Or(err, c.end())
		}
		return page[T]{rows: c.batch, last: !more}, err
	})
}

// only fetches the first row and closes.
func (c *cursor[T]) only(ctx context.Context) (row T, err error) {
	if err := c.open(ctx); err != nil {
		return row, err
	}
	defer c.end() // in case of a panic in Scan
	if !c.rows.Next() {
		return row, cmp.Or(c.rows.Err(), c.end(), sql.ErrNoRows)
	}
	err = c.scan.row(c.rows, &row)
	return row, cmp.Or(err, c.end())
}

// close ends a statement that was not read to its end.
func (c *cursor[T]) close(ctx context.Context) {
	inThread(ctx, c.q.database(), func() (struct{}, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return struct{}{}, c.end()
	})
}

// open starts the statement.
func (c *cursor[T]) open(ctx context.Context) (err error) {
	c.conn, err = c.q.start(ctx, func(e executor) (err error) {
		c.rows, err = e.QueryContext(ctx, c.query, c.args...)
		return err
	})
	if err != nil {
		c.ended = true
		return err
	}
	columns, err := c.rows.Columns()
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
		if !c.rows.Next() {
			return false, c.rows.Err()
		}
		var row T
		if err := c.scan.row(c.rows, &row); err != nil {
			return false, err
		}
		bytes += c.scan.weigh(&row)
		c.batch = append(c.batch, row)
	}
	c.limit = min(2*c.limit, maxBatchRows)
	return true, nil
}

// end closes what is open. Closing the connection waits for what database/sql may be
// doing to it in the background after a cancellation.
func (c *cursor[T]) end() error {
	if c.ended {
		return nil
	}
	c.ended = true
	var err error
	if c.rows != nil {
		err = c.rows.Close()
	}
	if c.conn != nil {
		c.conn.Close()
	}
	return err
}
