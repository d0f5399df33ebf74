//go:build !linux

package aiofile

import "github.com/go-asyncio/asyncio/internal/env"

// A cache would read what the page cache has of a file; this system cannot be asked.
type cache struct{}

func (*cache) init(env.File, bool) {}

func (*cache) read([]byte, int64) (int, error) { return 0, errNotCached }
