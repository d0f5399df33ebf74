package crawl

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// openStore opens the database of a crawl, or makes it. settings are those of
// the crawl in it, nil for a new one. isComplete says that a crawl can be begun
// where there is none to resume: one that was killed before it got that far.
func openStore(path string, resume, isComplete bool) (s *store, settings []byte, err error) {
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
	settings, err = s.identify(resume, isComplete)
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
func (s *store) identify(resume, isComplete bool) (settings []byte, err error) {
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
	case tables == 0 && resume && !isComplete:
		return nil, s.nothingToResume()
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
		if errors.Is(err, sql.ErrNoRows) {
			if isComplete {
				return nil, nil
			}
			return nil, s.nothingToResume()
		}
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

func (s *store) nothingToResume() error {
	return fmt.Errorf("crawl: %s holds no crawl that could be resumed; give the addresses to begin with", s.path)
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
	for _, p := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&s.sql.find, "SELECT id, coalesce(depth, ?2), state FROM urls WHERE url = ?1"},
		{&s.sql.add, "INSERT INTO urls (url, origin, state, depth, hops, referrer) VALUES (?, ?, ?, ?, ?, ?)"},
		{&s.sql.improve, "UPDATE urls SET state = ?2, depth = ?3, hops = ?4, referrer = ?5 WHERE id = ?1"},
		{&s.sql.finish, "UPDATE urls SET state = 3 WHERE id = ?"},
		{&s.sql.page, "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		// Each number is a target's id and, in the lowest two bits, the kind.
		{&s.sql.edges, "INSERT INTO edges SELECT ?1, value >> 2, value & 3 FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING"},
		{&s.sql.field, "INSERT INTO fields VALUES (?, ?, ?, ?)"},
		{&s.sql.load, `SELECT u.id, u.url, u.depth, u.hops, coalesce(r.url, '') FROM urls u LEFT JOIN urls r ON r.id = u.referrer
			WHERE u.origin = ? AND u.state = 2 AND u.id > ? ORDER BY u.id LIMIT ?`},
		{&s.sql.children, `SELECT u.url, e.kind FROM edges e JOIN urls u ON u.id = e.target
			WHERE e.source = ? AND e.kind <> 1 AND u.state > 0`},
		{&s.sql.move, "UPDATE pages SET depth = ?2, referrer = (SELECT url FROM urls WHERE id = ?3) WHERE id = ?1"},
	} {
		if *p.to, err = s.conn.PrepareContext(background, p.text); err != nil {
			return s.fault("read", err)
		}
		s.prepared = append(s.prepared, *p.to)
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
