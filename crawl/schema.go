package crawl

import "math"

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
