// Package sqlite opens SQLite databases for package aiosql, by the driver
// modernc.org/sqlite: SQLite itself, translated to Go, so that nothing needs a C compiler.
//
//	db, err := sqlite.Open(ctx, "site.db")
//
// What it sets for each connection, beside SQLite's defaults:
//
//   - journal_mode WAL: readers and the one writer do not wait for each other; beside the
//     file there are two more, -wal and -shm, until the database is closed.
//   - synchronous NORMAL: a transaction survives the end of the process in whatever way; a
//     power failure may take the last ones back, but damages nothing.
//   - busy_timeout 10 s: a statement waits so long for another connection's lock, then
//     fails with "database is locked". Where the calling task itself has that lock, the
//     error is aiosql.ErrWaitsForItself, at once.
//   - foreign_keys on.
//   - a transaction takes the write lock when it begins, unless it is aiosql.ReadOnly: so
//     it waits in the beginning, and does not fail in the middle because another one wrote.
//
// It adds about 7 MB to the program, and the translation is slower than SQLite in C. A
// database ends with the DB's Close.
package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/go-asyncio/asyncio/aiosql"
	"github.com/go-asyncio/asyncio/internal/engine"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Open opens the SQLite database in the file at path, and creates it if there is none.
// The path ":memory:" opens a database in memory that ends with the DB.
//
// A path that starts with "file:" is a URI as SQLite defines them. Its parameters, those
// of SQLite and those of the driver, come before ours: "file:site.db?_synchronous=FULL",
// "file:site.db?mode=ro".
//
// Open waits for the file to be opened. When ctx is cancelled, nothing stays open.
func Open(ctx context.Context, path string, opts ...aiosql.Option) (*aiosql.DB, error) {
	name, locking, err := dataSource(path)
	if err != nil {
		return nil, engine.AtOnce(fmt.Errorf("sqlite: %s: %w", path, err))
	}
	opts = append([]aiosql.Option{aiosql.WithLocking(locking)}, opts...)
	var db *aiosql.DB
	if path == ":memory:" {
		db, err = aiosql.OpenDB(ctx, sql.OpenDB(&memory{name: name}), opts...)
	} else {
		db, err = aiosql.Open(ctx, "sqlite", name, opts...)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: %s: %w", path, err)
	}
	return db, nil
}

// settings are the driver's parameters for each connection; see the package's documentation.
var settings = map[string]string{
	"_busy_timeout": "10000",
	"_foreign_keys": "1",
	"_journal_mode": "WAL",
	"_synchronous":  "NORMAL",
	"_txlock":       "immediate",
}

// inMemory counts databases in memory, since connections find theirs by its name.
var inMemory atomic.Int64

// dataSource returns the driver's name for the database at path, and how that locks.
func dataSource(path string) (string, aiosql.Locking, error) {
	name, query := "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), ""
	locking := aiosql.LockWriters
	switch {
	case path == ":memory:":
		// Shared by the connections of one DB; a plain :memory: is another one for each.
		name, query = fmt.Sprintf("file:/aiosql-%d", inMemory.Add(1)), "vfs=memdb"
		locking = aiosql.LockAll
	case strings.HasPrefix(path, "file:"):
		name, query, _ = strings.Cut(path, "?")
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return "", 0, fmt.Errorf("its parameters: %w", err)
	}
	readOnly := params.Get("mode") == "ro"
	for key, value := range settings {
		needsWriting := key == "_journal_mode" || key == "_txlock"
		if !params.Has(key) && !(readOnly && needsWriting) {
			params.Set(key, value)
		}
	}
	if journal := params.Get("_journal_mode"); locking == aiosql.LockWriters && !strings.EqualFold(journal, "WAL") {
		locking = aiosql.LockWritersAlone
	}
	if lock := params.Get("_txlock"); lock != "immediate" && lock != "exclusive" {
		locking = aiosql.LockRows // a transaction writes from its first writing statement on, which we do not know
	}
	return name + "?" + params.Encode(), locking, nil
}
