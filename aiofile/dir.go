package aiofile

import (
	"context"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// ReadDir reads a directory and returns its entries, sorted by name, as os.ReadDir does: with an error, those that it
// could read. Their Info is awaited in a coroutine.
//
// If ctx ends first, ReadDir returns its cause; a huge directory is not read to its end then.
func ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	return readDir(ctx, l, name)
}

func readDir(ctx context.Context, l *engine.Loop, name string) ([]fs.DirEntry, error) {
	return look(ctx, l, "readdir", name, func(gone func() bool) ([]fs.DirEntry, error) {
		f, err := l.Env.Files.OpenFile(name, os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		entries, err := readBatches(f, gone)
		return awaited(l, entries), err
	}, nil)
}

// readBatches reads all entries, in the thread, as long as somebody waits for them.
func readBatches(f env.File, gone func() bool) ([]fs.DirEntry, error) {
	const batch = 1024
	var all []fs.DirEntry
	for !gone() {
		entries, err := f.ReadDir(batch)
		all = append(all, entries...)
		if err == nil {
			continue
		}
		if err == io.EOF {
			err = nil
		}
		slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		return all, err
	}
	return nil, errStopped
}

// entry is a fs.DirEntry whose Info may wait.
type entry struct {
	fs.DirEntry
	loop *engine.Loop
}

// Info describes the file, which it asks the system for: in a thread, if a coroutine calls.
func (e *entry) Info() (fs.FileInfo, error) {
	return lookFrom(e.loop, "lstat", e.Name(), e.DirEntry.Info)
}

// String shows the entry as fs.FormatDirEntry does.
func (e *entry) String() string { return fs.FormatDirEntry(e.DirEntry) }

// awaited lets the Info of entries be awaited. It changes the slice.
func awaited(l *engine.Loop, entries []fs.DirEntry) []fs.DirEntry {
	wrapped := make([]entry, len(entries))
	for i, e := range entries {
		wrapped[i] = entry{e, l}
		entries[i] = &wrapped[i]
	}
	return entries
}
