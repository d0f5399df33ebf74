package aiofile

import "golang.org/x/sys/windows"

// isBrokenPipe reports whether err says that nobody reads any more.
func isBrokenPipe(err error) bool {
	switch err {
	case windows.ERROR_BROKEN_PIPE, windows.ERROR_NO_DATA, windows.ERROR_PIPE_NOT_CONNECTED:
		return true
	}
	return false
}
