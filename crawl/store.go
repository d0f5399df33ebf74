package crawl

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The database is the crawl: what was found, and what is still to be done.
//
// urls holds every address that was seen, once. Its queued rows are the
// frontier, in the order of their ids. A page's row, its links, its fields, the
// addresses that it named first and its own change from queued to done are
// written in one transaction, so that a crawl killed at any moment goes on
// where the last transaction ended.
const (
	applicationID = 0x61494372 // "aICr": the file is ours
	schemaVersion = 1
)

const schema = `
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE origins (id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE);
CREATE TABLE urls (
	id       INTEGER PRIMARY KEY,
	url      TEXT NOT NULL UNIQUE,
	origin   INTEGER REFERENCES origins, -- NULL: not part of the crawl
	state    INTEGER NOT NULL,           -- 0 not part of the crawl, 1 not to be followed, 2 queued, 3 done
	depth    INTEGER,                    -- links away from a start page; NULL: only nofollow links lead here
	hops     INTEGER NOT NULL,           -- redirects in a row that led here
	referrer INTEGER REFERENCES urls
);
CREATE INDEX frontier ON urls (origin, id) WHERE state = 2;
CREATE TABLE pages (
	id           INTEGER PRIMARY KEY REFERENCES urls,
	url          TEXT NOT NULL,
	status       INTEGER,  -- of HTTP; NULL: no answer
	title        TEXT,
	content_type TEXT,
	size         INTEGER,  -- bytes of the body, uncompressed
	hash         TEXT,     -- SHA-256 of the body
	depth        INTEGER NOT NULL,
	referrer     TEXT,     -- the page that named this one first
	location     TEXT,     -- where it redirects to
	time         TEXT NOT NULL,  -- when it was asked for, UTC
	duration     REAL NOT NULL,  -- seconds from the request to the end of the body, of all tries
	error        TEXT      -- "kind: what happened"
);
CREATE TABLE edges (
	source INTEGER NOT NULL REFERENCES pages,
	target INTEGER NOT NULL REFERENCES urls,
	kind   INTEGER NOT NULL, -- 0 link, 1 nofollow, 2 redirect
	PRIMARY KEY (source, target)
) WITHOUT ROWID;
CREATE TABLE fields (
	page     INTEGER NOT NULL REFERENCES pages,
	name     TEXT NOT NULL,
	position INTEGER NOT NULL, -- of several values
	value    TEXT NOT NULL,
	PRIMARY KEY (page, name, position)
) WITHOUT ROWID;
CREATE VIEW links AS
	SELECT s.url AS source, t.url AS target,
		CASE kind WHEN 0 THEN 'link' WHEN 1 THEN 'nofollow' ELSE 'redirect' END AS kind,
		p.status AS target_status
	FROM edges JOIN urls s ON s.id = source JOIN urls t ON t.id = target
	LEFT JOIN pages p ON p.id = target;
`

// urlState is how far an address has come. The order counts: only states from
// seen on belong to the crawl.
type urlState int

const (
	outside urlState = iota // of another host, or denied
	seen                    // part of the crawl, but too deep, or only named by nofollow links
	queued
	done
)

// noDepth is the depth of an address that no link to follow leads to; the
// database has NULL for it.
const noDepth = math.MaxInt32

// item is one address of the frontier.
type item struct {
	id       int64
	url      string
	depth    int
	hops     int
	referrer string

	// In this run:
	attempt   int           // tries so far
	started   time.Time     // of the first one
	spent     time.Duration // on all of them
	notBefore time.Duration // on the loop's clock: of the next one
	began     time.Duration // on the loop's clock: of the one under way
	denied    bool          // by robots.txt
}

// Page is a row of the table pages.
type Page struct {
	URL         string        `json:"url"`
	Status      int           `json:"status,omitempty"`       // of HTTP; 0: no answer
	Title       string        `json:"title,omitempty"`        // of HTML pages
	ContentType string        `json:"content_type,omitempty"` // as the server sent it
	Size        int64         `json:"size"`                   // bytes of the body, uncompressed
	Hash        string        `json:"hash,omitempty"`         // SHA-256 of the body, in hexadecimal
	Depth       int           `json:"depth"`                  // links away from a start page
	Referrer    string        `json:"referrer,omitempty"`     // the page that named it first
	Location    string        `json:"location,omitempty"`     // where it redirects to
	Time        time.Time     `json:"time"`                   // when it was asked for
	Duration    time.Duration `json:"-"`                      // from the request to the end of the body, of all tries
	Error       string        `json:"error,omitempty"`        // "kind: what happened"
	Links       int           `json:"links"`                  // how many addresses it names
}

// result is what became of an item.
type result struct {
	site   *site
	item   item
	page   Page
	links  []link
	fields []field
}

// wanted asks for the next items of an origin after the one with id after.
type wanted struct {
	origin, after int64
	limit         int
}

// stored is what a write tells the frontier, by the ids of origins.
type stored struct {
	loaded  map[int64]loaded // what was wanted
	grown   map[int64]string // the names of those that got new items
	rewound map[int64]int64  // the lowest id that was queued late
	queued  int64            // items in the frontier, in all
}

// loaded answers a wanted. Fewer items than its limit are all there are.
type loaded struct {
	items []item
	limit int
}

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

// openStore opens the database of a crawl, or makes it. settings are those of
// the crawl in it, nil for a new one.
func openStore(path string, resume bool) (s *store, settings []byte, err error) {
	dsn, err := checkFile(path, resume)
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("crawl: open %s: %w", path, err)
	}
	s = &store{db: db, path: path, known: newCache(cacheLimit), origins: map[string]int64{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.conn, err = db.Conn(background); err != nil {
		return nil, nil, s.fault("open", err)
	}
	settings, err = s.identify(resume)
	return s, settings, err
}

// checkFile makes sure that the file can be written, since SQLite's own error
// does not say why it cannot.
func checkFile(path string, resume bool) (dsn string, err error) {
	flags := os.O_RDWR
	if !resume {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return "", fmt.Errorf("crawl: database: %w", err)
	}
	f.Close()
	if path, err = filepath.Abs(path); err != nil {
		return "", fmt.Errorf("crawl: database: %w", err)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "_pragma=busy_timeout(5000)"}
	return u.String(), nil
}

// identify makes sure that the database is a crawl's of ours, or empty and then
// made one.
func (s *store) identify(resume bool) (settings []byte, err error) {
	var tables, id, version, fetched int
	if err := s.scan("SELECT count(*) FROM sqlite_master", &tables); err != nil {
		return nil, s.fault("open", err)
	}
	if err := s.scan("PRAGMA application_id", &id); err != nil {
		return nil, s.fault("open", err)
	}
	if err := s.scan("PRAGMA user_version", &version); err != nil {
		return nil, s.fault("open", err)
	}
	switch {
	case tables == 0 && resume:
		return nil, fmt.Errorf("crawl: %s holds no crawl that could be resumed", s.path)
	case tables == 0:
		return nil, s.create()
	case id != applicationID:
		return nil, fmt.Errorf("crawl: %s is a database of another program (application id %#x); choose another file", s.path, id)
	case version != schemaVersion:
		return nil, fmt.Errorf("crawl: %s was written by another version of this program (its schema is %d, ours %d)", s.path, version, schemaVersion)
	}
	if err := s.tune(); err != nil {
		return nil, err
	}
	if resume {
		err := s.scan("SELECT value FROM settings WHERE name = 'config'", &settings)
		return settings, s.fault("read the settings of", err)
	}
	// A crawl that never got a page is no loss: the address was mistyped.
	if err := s.scan("SELECT EXISTS (SELECT 1 FROM pages WHERE status < 400)", &fetched); err != nil {
		return nil, s.fault("open", err)
	}
	if fetched != 0 {
		return nil, fmt.Errorf("crawl: %s holds an earlier crawl: go on with it (--resume), or choose another file", s.path)
	}
	return nil, s.exec("empty", `DELETE FROM fields; DELETE FROM edges; DELETE FROM pages;
		DELETE FROM urls; DELETE FROM origins; DELETE FROM settings`)
}

func (s *store) create() error {
	if err := s.tune(); err != nil {
		return err
	}
	return s.exec("create", fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		schema, applicationID, schemaVersion))
}

// tune chooses write-ahead logging, under which a kill loses no transaction
// (a power cut may lose the last ones, and never the rest).
func (s *store) tune() error {
	return s.exec("open", "PRAGMA journal_mode = wal; PRAGMA synchronous = normal; PRAGMA cache_size = -8000")
}

// begin fits the frontier to the settings and prepares for writing. start are
// the canonical addresses to begin with.
func (s *store) begin(settings []byte, start []string, scope scope, depth int) error {
	s.scope, s.depth = scope, depth
	if err := s.prepare(); err != nil {
		return err
	}
	return s.transaction(func() error {
		if err := s.exec("write to", "INSERT OR REPLACE INTO settings VALUES ('config', ?)", string(settings)); err != nil {
			return err
		}
		if err := s.readOrigins(); err != nil {
			return err
		}
		for _, u := range start {
			if err := s.widen(host(u)); err != nil {
				return err
			}
			if _, err := s.target(u, way{depth: 0, follow: true}); err != nil {
				return err
			}
		}
		// What was too deep for an earlier run may not be so for this one.
		if err := s.exec("write to", "UPDATE urls SET state = ? WHERE state = ? AND depth <= ?", queued, seen, depth); err != nil {
			return err
		}
		return s.fault("read", s.scan("SELECT count(*) FROM urls WHERE state = 2", &s.queued))
	})
}

func (s *store) prepare() (err error) {
	for to, text := range map[**sql.Stmt]string{
		&s.sql.find:    "SELECT id, coalesce(depth, ?2), state FROM urls WHERE url = ?1",
		&s.sql.add:     "INSERT INTO urls (url, origin, state, depth, hops, referrer) VALUES (?, ?, ?, ?, ?, ?)",
		&s.sql.improve: "UPDATE urls SET state = ?2, depth = ?3, hops = ?4, referrer = ?5 WHERE id = ?1",
		&s.sql.finish:  "UPDATE urls SET state = 3 WHERE id = ?",
		&s.sql.page:    "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		// Each number is a target's id and, in the lowest two bits, the kind.
		&s.sql.edges: "INSERT INTO edges SELECT ?1, value >> 2, value & 3 FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING",
		&s.sql.field: "INSERT INTO fields VALUES (?, ?, ?, ?)",
		&s.sql.load: `SELECT u.id, u.url, u.depth, u.hops, coalesce(r.url, '') FROM urls u LEFT JOIN urls r ON r.id = u.referrer
			WHERE u.origin = ? AND u.state = 2 AND u.id > ? ORDER BY u.id LIMIT ?`,
		&s.sql.children: `SELECT u.url, e.kind FROM edges e JOIN urls u ON u.id = e.target
			WHERE e.source = ? AND e.kind <> 1 AND u.state > 0`,
		&s.sql.move: "UPDATE pages SET depth = ?2, referrer = (SELECT url FROM urls WHERE id = ?3) WHERE id = ?1",
	} {
		if *to, err = s.conn.PrepareContext(background, text); err != nil {
			return s.fault("read", err)
		}
		s.prepared = append(s.prepared, *to)
	}
	return nil
}

// readOrigins finds the origins of the crawl and lets the frontier know them.
func (s *store) readOrigins() error {
	rows, err := s.conn.QueryContext(background, "SELECT id, origin FROM origins")
	if err != nil {
		return s.fault("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return s.fault("read", err)
		}
		s.origins[name] = id
		s.scope.hosts[host(name)] = true
		s.out.grown[id] = name
	}
	return s.fault("read", rows.Err())
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

// way is how an address was reached.
type way struct {
	from        int64 // the referrer; 0: none
	depth, hops int
	follow      bool
}

// wayFrom is the way over a link of a page. A redirect leads to the same depth.
func wayFrom(page int64, depth, hops int, l link) way {
	if l.kind == redirect {
		return way{from: page, depth: depth, hops: hops + 1, follow: true}
	}
	return way{from: page, depth: depth + 1, follow: l.kind == followed}
}

// target returns the id of an address that was named somewhere. One that is new
// is added, and queued if it belongs to the crawl.
func (s *store) target(u string, w way) (int64, error) {
	k, found, err := s.find(u)
	if err != nil {
		return 0, err
	}
	if found {
		return k.id, s.improve(step{u, k, w})
	}
	k = known{state: outside, depth: noDepth}
	var originID int64
	if w.depth == 0 || s.scope.contains(u) {
		k.state = seen
		if w.follow {
			k.depth = w.depth
		}
		if k.depth <= s.depth && w.follow {
			k.state = queued
		}
		if originID, err = s.originOf(u); err != nil {
			return 0, err
		}
	}
	res, err := s.sql.add.ExecContext(background, u, null(originID), k.state, nullDepth(k.depth), w.hops, null(w.from))
	if err != nil {
		return 0, s.fault("write to", err)
	}
	if k.id, err = res.LastInsertId(); err != nil {
		return 0, s.fault("write to", err)
	}
	if k.state == queued {
		s.queued++
		s.out.grown[originID] = origin(u)
	}
	s.known.put(u, k)
	return k.id, nil
}

// step is a way to a known address.
type step struct {
	url string
	known
	way way
}

// isShorter reports whether a step's way is to be taken in place of the one
// known. It matters where the depth is limited, since the order in which pages
// arrive must not decide what is crawled; and where only nofollow links led so
// far.
func (s *store) isShorter(t step) bool {
	return t.way.follow && t.state != outside && t.way.depth < t.depth &&
		(s.depth != noDepth || t.state == seen)
}

// improve takes a way, and all that become shorter by it.
func (s *store) improve(first step) error {
	for todo := []step{first}; len(todo) > 0; {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !s.isShorter(t) {
			continue
		}
		t.depth = t.way.depth
		if t.state == seen && t.depth <= s.depth {
			t.state = queued
			if err := s.requeue(t.url, t.id); err != nil {
				return err
			}
		}
		if _, err := s.sql.improve.ExecContext(background, t.id, t.state, t.depth, t.way.hops, null(t.way.from)); err != nil {
			return s.fault("write to", err)
		}
		s.known.put(t.url, t.known)
		if t.state != done {
			continue
		}
		if _, err := s.sql.move.ExecContext(background, t.id, t.depth, null(t.way.from)); err != nil {
			return s.fault("write to", err)
		}
		next, err := s.beyond(t)
		if err != nil {
			return err
		}
		todo = append(todo, next...)
	}
	return nil
}

// beyond returns the ways that go on from a page that is done.
func (s *store) beyond(t step) (steps []step, err error) {
	links, err := s.links(t.id)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		k, _, err := s.find(l.url)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{l.url, k, wayFrom(t.id, t.depth, t.way.hops, l)})
	}
	return steps, nil
}

// requeue tells the frontier of an item that it may have passed by.
func (s *store) requeue(u string, id int64) error {
	originID, err := s.originOf(u)
	if err != nil {
		return err
	}
	s.queued++
	s.out.grown[originID] = origin(u)
	if lowest, ok := s.out.rewound[originID]; !ok || id < lowest {
		s.out.rewound[originID] = id
	}
	return nil
}

// links reads the links to follow of a page that is done.
func (s *store) links(page int64) (list []link, err error) {
	rows, err := s.sql.children.QueryContext(background, page)
	if err != nil {
		return nil, s.fault("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l link
		if err := rows.Scan(&l.url, &l.kind); err != nil {
			return nil, s.fault("read", err)
		}
		list = append(list, l)
	}
	return list, s.fault("read", rows.Err())
}

// widen takes one more host into the crawl, with those of its addresses that
// were seen before.
func (s *store) widen(name string) error {
	if s.scope.hosts[name] {
		return nil
	}
	s.scope.hosts[name] = true
	for _, scheme := range []string{"http://", "https://"} {
		steps, err := s.waysTo(scheme + name + "/")
		if err != nil {
			return err
		}
		for _, t := range steps {
			if !s.scope.contains(t.url) {
				continue
			}
			originID, err := s.originOf(t.url)
			if err != nil {
				return err
			}
			if err := s.exec("write to", "UPDATE urls SET state = ?, origin = ? WHERE id = ? AND state = ?", seen, originID, t.id, outside); err != nil {
				return err
			}
			if t.known, _, err = s.find(t.url); err != nil {
				return err
			}
			if err := s.improve(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// waysTo returns the links to addresses outside of the crawl that begin with
// prefix. It forgets what is known of those.
func (s *store) waysTo(prefix string) (steps []step, err error) {
	rows, err := s.conn.QueryContext(background, `SELECT u.url, u.id, p.id, p.depth, p_url.hops, e.kind
		FROM urls u JOIN edges e ON e.target = u.id JOIN pages p ON p.id = e.source JOIN urls p_url ON p_url.id = p.id
		WHERE u.state = 0 AND u.url >= ?1 AND u.url < ?1 || char(0x10FFFF)`, prefix)
	if err != nil {
		return nil, s.fault("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		var t step
		var page int64
		var depth, hops int
		var l link
		if err := rows.Scan(&t.url, &t.id, &page, &depth, &hops, &l.kind); err != nil {
			return nil, s.fault("read", err)
		}
		t.way = wayFrom(page, depth, hops, l)
		s.known.forget(t.url)
		steps = append(steps, t)
	}
	return steps, s.fault("read", rows.Err())
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
