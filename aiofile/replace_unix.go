//go:build unix

package aiofile

import (
	"io/fs"
	"syscall"

	"github.com/go-asyncio/asyncio/internal/env"
)

// keepOwner gives f the owner of the file in whose place it comes, if it may.
func keepOwner(f env.File, old fs.FileInfo) {
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid))
	}
}
