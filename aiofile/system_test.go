package aiofile_test

import "syscall"

// What the system says in these cases.
const (
	errIsDir   = syscall.EISDIR
	errBadFile = syscall.EBADF
	errNotDir  = syscall.ENOTDIR
)
