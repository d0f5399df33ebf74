package aiofile

import (
	"context"
	"math/rand/v2"

	"github.com/go-asyncio/asyncio/internal/engine"
	"github.com/go-asyncio/asyncio/internal/env"
)

// Hold keeps the position for itself, so that a call that needs it is kept waiting in its thread.
func (f *File) Hold() (release func()) {
	f.mu.Lock()
	return f.mu.Unlock
}

// Uncached lets all reads go to threads.
func (f *File) Uncached() { f.cache = cache{} }

// OnLoop is how much is read on the loop at once.
const OnLoop = onLoop

// Change is what all calls are made by that change something.
func Change(ctx context.Context, fn func(stop func() bool) (int, error)) (int, error) {
	return change(ctx, engine.MustLoopOf("test", ctx), "change", "file", fn)
}

// ErrStopped is what its fn returns when it was told to stop.
var ErrStopped = errStopped

// InSteps writes p, and looks between the steps whether to stop.
var InSteps = inSteps

// CopyFile is Copy in its thread.
func CopyFile(stop func() bool, dst, src string, opts []WriteOption) (int64, error) {
	return writingForTest(opts...).copy(stop, dst, src)
}

func writingForTest(opts ...WriteOption) *writing {
	w := &writing{files: env.Real().Files, random: rand.New(rand.NewPCG(1, 2))}
	for _, o := range opts {
		o(w)
	}
	return w
}

// WriteAtomic is WriteFile with Atomic in its thread.
func WriteAtomic(stop func() bool, name string, data []byte) error {
	_, err := writingForTest(Atomic()).rewrite(name, 0o644, stop, writeSteps(stop, data))
	return err
}

// SplitLines is Lines on any reader.
var SplitLines = lines
