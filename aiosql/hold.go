package aiosql

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/go-asyncio/asyncio"
)

// ErrWaitsForItself is returned by what would wait for a connection, or for a lock of the
// database, that the calling task holds itself: by a Tx block or a range over a Query
// that it is in. The error says which, and what to use instead.
var ErrWaitsForItself = errors.New("aiosql: this would wait for the task that asks for it")

// A Locking says whom the connections of a database keep out while they read or write.
// A DB uses it to return [ErrWaitsForItself] at once where the database would let the
// task wait in vain until a timeout of its own.
type Locking int

const (
	// LockRows means that connections keep each other from rows or tables at most, as in
	// PostgreSQL. It is the default, and never leads to ErrWaitsForItself.
	LockRows Locking = iota
	// LockWriters means that one connection writes at a time. A transaction writes from
	// its beginning, unless it is ReadOnly. SQLite does so in WAL mode.
	LockWriters
	// LockWritersAlone also means that nothing is written while another connection reads.
	// SQLite does so with a rollback journal.
	LockWritersAlone
	// LockAll also means that nothing is read while another connection writes. SQLite does
	// so in memory.
	LockAll
)

// WithLocking says how the database locks, if it is not by rows. The package sqlite does.
func WithLocking(l Locking) Option { return func(db *DB) { db.locking = l } }

// holding is what one task holds of a DB: how many connections, and on how many of them
// it reads and writes. Only Tx blocks and ranges over a Query are counted, since nothing
// else of the same task can run beside other calls.
type holding struct{ conns, reads, writes int }

// refusal is why the task of ctx would wait for itself if it waited for a connection, or
// for what it does then; else nil.
func (db *DB) refusal(ctx context.Context, writes func() bool) error {
	task := asyncio.CurrentTask(ctx)
	if task == nil { // not on the loop, and then db.held is not ours to read
		return nil
	}
	h := db.held[task]
	switch {
	case h == nil:
		return nil
	case h.conns >= db.max && db.max == 1:
		return fmt.Errorf("%w: it holds the only connection in a Tx block or a range over Query; "+
			"use the Tx, or collect the rows first", ErrWaitsForItself)
	case h.conns >= db.max:
		return fmt.Errorf("%w: it holds all %d connections in Tx blocks and ranges over Query; "+
			"use the Tx, or collect the rows first", ErrWaitsForItself, db.max)
	case h.writes > 0 && (db.locking >= LockAll || db.locking >= LockWriters && writes()):
		return fmt.Errorf("%w: it is in a Tx block, which has the database locked; use the Tx", ErrWaitsForItself)
	case h.reads > 0 && db.locking >= LockWritersAlone && writes():
		return fmt.Errorf("%w: it is in a range over Query or a read-only Tx block, which keeps the database from being "+
			"written; collect the rows first", ErrWaitsForItself)
	}
	return nil
}

// hold is one connection in the holding of a task. A nil hold is none.
type hold struct {
	db   *DB
	task asyncio.AnyTask
	of   *holding
	lock *int // of.reads or of.writes; nil once that is given up
}

// hold notes that the running task has taken a connection, on which it reads or writes,
// until end.
func (db *DB) hold(ctx context.Context, writes bool) *hold {
	h := &hold{db: db, task: asyncio.CurrentTask(ctx)}
	h.of = db.held[h.task]
	if h.of == nil {
		h.of = &holding{}
		db.held[h.task] = h.of
	}
	h.of.conns++
	h.lock = &h.of.reads
	if writes {
		h.lock = &h.of.writes
	}
	*h.lock++
	return h
}

// unlock notes that the connection is idle.
func (h *hold) unlock() {
	if h != nil && h.lock != nil {
		*h.lock--
		h.lock = nil
	}
}

func (h *hold) end() {
	if h == nil {
		return
	}
	h.unlock()
	if h.of.conns--; h.of.conns == 0 {
		delete(h.db.held, h.task)
	}
}

// writing matches statements that surely write, in SQL as databases with a [Locking]
// understand it. What it misses waits as long as the database lets it.
var writing = regexp.MustCompile(`(?is)^(?:\s|--[^\n]*\n|/\*.*?\*/)*` +
	`(?:(?:insert|update|delete|replace|create|drop|alter|reindex|vacuum)\b` +
	`|with\b.*\b(?:insert\s+into|replace\s+into|update\s+\S+\s+set|delete\s+from)\b)`)
