package aiofile

import (
	"context"
	"io"
	"os"

	"github.com/go-asyncio/asyncio/internal/env"
	"github.com/go-asyncio/asyncio/internal/worlds"
)

// ReadFile reads a whole file, as os.ReadFile does: on the loop, if it is small and in memory, or else in one thread.
// If ctx ends first, ReadFile returns its cause.
func ReadFile(ctx context.Context, name string) ([]byte, error) {
	l, err := worlds.LoopOf(ctx)
	if err != nil {
		return nil, pathError("read", name, err)
	}
	if ctx.Err() == nil {
		if data, ok := l.Env.Files.ReadCached(name, onLoop); ok {
			l.Moved(len(data))
			worlds.Steps(ctx, l, worlds.OpeningSteps)
			return data, nil
		}
	}
	return look(ctx, l, "read", name, func(gone func() bool) ([]byte, error) {
		f, err := l.Env.Files.OpenFile(name, os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAll(f, gone)
	}, nil)
}

// readAll reads as long as somebody waits for it.
func readAll(f env.File, gone func() bool) ([]byte, error) {
	size := 0
	if info, err := f.Stat(); err == nil && info.Size() < 1<<40 {
		size = int(info.Size())
	}
	data := make([]byte, 0, max(size+1, 512)) // one more finds the end; files of proc have no size
	for !gone() {
		n, err := f.Read(data[len(data):min(len(data)+step, cap(data))])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return data, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
	return nil, errStopped
}
