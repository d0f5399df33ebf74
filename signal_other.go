//go:build !unix

package asyncio

import "syscall"

var uncatchable = []syscall.Signal{syscall.SIGKILL}
