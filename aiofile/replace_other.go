//go:build !unix

package aiofile

import (
	"io/fs"
	"os"
)

func keepOwner(*os.File, fs.FileInfo) {}

// syncDir does nothing: directories cannot be synced here.
func syncDir(string) error { return nil }
