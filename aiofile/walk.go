package aiofile

import (
	"context"
	"io/fs"
	"iter"
	"path/filepath"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// A WalkEntry is a file or directory that WalkDir has come to. Its Info is awaited.
type WalkEntry struct {
	fs.DirEntry
	Path string // which begins with the root that WalkDir was given
	skip bool
}

// SkipDir keeps WalkDir from going into this directory (fs.SkipDir). It does nothing for what is none, or was read.
func (e *WalkEntry) SkipDir() { e.skip = true }

// WalkDir returns an iterator over the tree of files below root, root included, as filepath.WalkDir walks: each
// directory before what is in it, that in the order of names, and without following symbolic links. To leave the loop
// ends the walk (fs.SkipAll).
//
//	for e, err := range aiofile.WalkDir(ctx, "src") {
//		if err != nil {
//			return err
//		}
//		if e.Name() == ".git" {
//			e.SkipDir()
//		}
//	}
//
// A directory that cannot be read comes a second time, with the error; who does not leave the loop then goes on with
// what could be read, and the rest of the tree. A root that does not exist gives the error alone, with a nil entry.
//
// Each directory is read in a thread when its turn comes, with a few hundred bytes of memory for each of its entries.
// If ctx ends, the last round has its cause, with a nil entry.
func WalkDir(ctx context.Context, root string) iter.Seq2[*WalkEntry, error] {
	return func(yield func(*WalkEntry, error) bool) {
		w := walker{ctx: ctx, yield: yield}
		var err error
		if w.loop, err = worlds.LoopOf(ctx); err != nil {
			yield(nil, pathError("lstat", root, err))
			return
		}
		info, err := Lstat(ctx, root)
		if err != nil {
			yield(nil, err)
			return
		}
		w.walk(&WalkEntry{DirEntry: fs.FileInfoToDirEntry(info), Path: root})
	}
}

// walker is one walk.
type walker struct {
	ctx   context.Context
	loop  *engine.Loop
	yield func(*WalkEntry, error) bool
}

// walk reports false if the walk is over.
func (w *walker) walk(e *WalkEntry) bool {
	if !w.step(e) || !w.yield(e, nil) {
		return false
	}
	if !e.IsDir() || e.skip {
		return true
	}
	entries, err := readDir(w.ctx, w.loop, e.Path)
	switch {
	case err == nil:
	case w.ctx.Err() != nil:
		w.yield(nil, err)
		return false
	case !w.yield(e, err):
		return false
	case e.skip:
		return true
	}
	for _, below := range entries {
		if !w.walk(&WalkEntry{DirEntry: below, Path: filepath.Join(e.Path, below.Name())}) {
			return false
		}
	}
	return true
}

// step takes a step of the turn, and reports false if the walk is cancelled.
func (w *walker) step(e *WalkEntry) bool {
	_, err := engine.Step(w.ctx)
	if err == nil {
		err = engine.CauseOf(w.ctx)
	}
	if err != nil {
		w.yield(nil, pathError("readdir", e.Path, err))
	}
	return err == nil
}
