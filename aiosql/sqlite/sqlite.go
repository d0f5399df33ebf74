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
//     fails with "database is locked".
//   - foreign_keys on.
//   - a transaction takes the write lock when it begins, unless it is aiosql.ReadOnly: so
//     it waits in the beginning, and does not fail in the middle because another one wrote.
//
// It costs about 7 MB in the program, and runs at a half to a third of the speed of SQLite
// in C. A database ends with the DB's Close.
package sqlite

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/go-asyncio/asyncio/aiosql"

	_ "modernc.org/sqlite" // the driver
)

// Open opens the SQLite database in the file at path, and creates it if there is none.
// The path ":memory:" opens a database in memory that ends with the DB.
//
// A path that starts with "file:" is a URI as SQLite defines them, with parameters of
// SQLite and the driver: "file:site.db?mode=ro&_pragma=synchronous(FULL)". Its pragmas
// come after ours.
//
// Open waits for the file to be opened. When ctx is cancelled, nothing stays open.
func Open(ctx context.Context, path string, opts ...aiosql.Option) (*aiosql.DB, error) {
	db, err := aiosql.Open(ctx, "sqlite", dataSource(path), opts...)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %s: %w", path, err)
	}
	return db, nil
}

// settings are for each connection; see the package's documentation.
const settings = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)&_txlock=immediate"

// inMemory counts databases in memory, since connections find theirs by its name.
var inMemory atomic.Int64

// dataSource returns the driver's name for the database at path.
func dataSource(path string) string {
	switch {
	case path == ":memory:":
		// Shared by the connections of one DB; a plain :memory: is another one for each.
		return fmt.Sprintf("file:/aiosql-%d?vfs=memdb&%s", inMemory.Add(1), settings)
	case strings.HasPrefix(path, "file:"):
		name, params, _ := strings.Cut(path, "?")
		return name + "?" + settings + "&" + params
	default:
		return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + settings
	}
}
