//go:build !unix

package aiofile

import (
	"io/fs"

	"github.com/go-asyncio/asyncio/internal/env"
)

func keepOwner(env.File, fs.FileInfo) {}
