package crawl

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// background is the context of every statement: a transaction takes
// milliseconds, and one that is done whole needs no clearing up.
var background = context.Background()

// store is the database. It is used by one thread at a time.
type store struct {
	db       *sql.DB
	conn     *sql.Conn
	path     string
	scope    scope
	depth    int // the limit; noDepth: none
	known    *cache
	origins  map[string]int64
	sql      statements
	prepared []*sql.Stmt
	queued   int64  // rows of the frontier
	out      stored // what the transaction under way will tell
}

type statements struct {
	find, add, improve, finish, page, field, edges, load, children, move *sql.Stmt
}

// write stores finished pages and reads the items that are wanted next, in one
// transaction.
func (s *store) write(results []*result, wants []wanted) (stored, error) {
	err := s.transaction(func() error {
		for _, r := range results {
			if err := s.finish(r); err != nil {
				return err
			}
		}
		for _, w := range wants {
			if err := s.load(w); err != nil {
				return err
			}
		}
		return nil
	})
	s.out.queued = s.queued
	return s.out, err
}

// transaction runs fn, which collects in s.out what the frontier should know.
func (s *store) transaction(fn func() error) error {
	s.out = stored{loaded: map[int64]loaded{}, grown: map[int64]string{}, rewound: map[int64]int64{}}
	if err := s.exec("write to", "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = s.exec("write to", "COMMIT")
	}
	if err != nil {
		// After some errors SQLite has rolled back already; then this one fails.
		s.conn.ExecContext(background, "ROLLBACK")
	}
	return err
}

// finish writes one page and all that follows from it.
func (s *store) finish(r *result) error {
	id, depth := r.item.id, r.item.depth
	if s.depth != noDepth { // a shorter way may have been found since
		now, _, err := s.find(r.item.url)
		if err != nil {
			return err
		}
		depth = now.depth
	}
	p := &r.page
	_, err := s.sql.page.ExecContext(background, id, r.item.url, null(p.Status), null(p.Title), null(p.ContentType),
		p.Size, null(p.Hash), depth, null(p.Referrer), null(p.Location),
		p.Time.UTC().Format("2006-01-02T15:04:05.000Z"), p.Duration.Seconds(), null(p.Error))
	if err != nil {
		return s.fault("write to", err)
	}
	if _, err := s.sql.finish.ExecContext(background, id); err != nil {
		return s.fault("write to", err)
	}
	s.known.put(r.item.url, known{id, depth, done})
	s.queued--
	if err := s.edges(r, depth); err != nil {
		return err
	}
	positions := map[string]int{}
	for _, f := range r.fields {
		if _, err := s.sql.field.ExecContext(background, id, f.name, positions[f.name], f.value); err != nil {
			return s.fault("write to", err)
		}
		positions[f.name]++
	}
	return nil
}

// edges writes a page's links, all with one statement.
func (s *store) edges(r *result, depth int) error {
	if len(r.links) == 0 {
		return nil
	}
	targets := []byte{'['}
	for _, l := range r.links {
		if l.kind == redirect && depth == 0 { // a start page has moved: the crawl moves with it
			if err := s.widen(host(l.url)); err != nil {
				return err
			}
		}
		id, err := s.target(l.url, wayFrom(r.item.id, depth, r.item.hops, l))
		if err != nil {
			return err
		}
		targets = append(strconv.AppendInt(targets, id<<2|int64(l.kind), 10), ',')
	}
	targets[len(targets)-1] = ']'
	_, err := s.sql.edges.ExecContext(background, r.item.id, string(targets))
	return s.fault("write to", err)
}

func (s *store) find(u string) (k known, found bool, err error) {
	if k, found = s.known.get(u); found {
		return k, true, nil
	}
	err = s.sql.find.QueryRowContext(background, u, noDepth).Scan(&k.id, &k.depth, &k.state)
	if errors.Is(err, sql.ErrNoRows) {
		return k, false, nil
	}
	if err != nil {
		return k, false, s.fault("read", err)
	}
	s.known.put(u, k)
	return k, true, nil
}

func (s *store) originOf(u string) (int64, error) {
	name := origin(u)
	if id, ok := s.origins[name]; ok {
		return id, nil
	}
	res, err := s.conn.ExecContext(background, "INSERT INTO origins (origin) VALUES (?)", name)
	if err != nil {
		return 0, s.fault("write to", err)
	}
	id, err := res.LastInsertId()
	s.origins[name] = id
	return id, s.fault("write to", err)
}

func (s *store) load(w wanted) error {
	rows, err := s.sql.load.QueryContext(background, w.origin, w.after, w.limit)
	if err != nil {
		return s.fault("read", err)
	}
	defer rows.Close()
	items := make([]item, 0, w.limit)
	for rows.Next() {
		var i item
		if err := rows.Scan(&i.id, &i.url, &i.depth, &i.hops, &i.referrer); err != nil {
			return s.fault("read", err)
		}
		items = append(items, i)
	}
	s.out.loaded[w.origin] = loaded{items, w.limit}
	return s.fault("read", rows.Err())
}

// count returns how many pages were fetched over all runs, and how many of
// them were there.
func (s *store) count() (fetched, found int, err error) {
	if err = s.scan("SELECT count(*) FROM pages WHERE coalesce(error, '') NOT LIKE 'robots:%'", &fetched); err == nil {
		err = s.scan("SELECT count(*) FROM pages WHERE status < 400", &found)
	}
	return fetched, found, s.fault("read", err)
}

// close closes the file. SQLite does so only when no statement is left.
func (s *store) close() error {
	for _, statement := range s.prepared {
		statement.Close()
	}
	if s.conn != nil {
		s.conn.Close()
	}
	return s.fault("close", s.db.Close())
}

func (s *store) scan(query string, to any) error {
	return s.conn.QueryRowContext(background, query).Scan(to)
}

func (s *store) exec(doing, query string, args ...any) error {
	_, err := s.conn.ExecContext(background, query, args...)
	return s.fault(doing, err)
}

// fault says what could not be done with which file, and why.
func (s *store) fault(doing string, err error) error {
	if err == nil {
		return nil
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		switch e.Code() & 0xFF {
		case sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("crawl: %s is not a SQLite database; choose another file (%w)", s.path, err)
		case sqlite3.SQLITE_FULL:
			return fmt.Errorf("crawl: %s: the disk is full; make room and go on with --resume (%w)", s.path, err)
		case sqlite3.SQLITE_CONSTRAINT: // each page is written once
			return fmt.Errorf("crawl: %s is written to by another crawl (%w)", s.path, err)
		case sqlite3.SQLITE_BUSY:
			return fmt.Errorf("crawl: %s is in use by another program (%w)", s.path, err)
		}
	}
	return fmt.Errorf("crawl: %s %s: %w", doing, s.path, err)
}

// null is v, or NULL where v is zero.
func null[T comparable](v T) any {
	if v == *new(T) {
		return nil
	}
	return v
}

func nullDepth(depth int) any {
	if depth == noDepth {
		return nil
	}
	return depth
}
