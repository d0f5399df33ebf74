//go:build unix

package main

import (
	"os"
	"syscall"
)

// statistics is the signal that asks for them.
var statistics os.Signal = syscall.SIGUSR1
