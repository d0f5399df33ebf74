//go:build !windows

package aionet

import "syscall"

const errMessageSize = syscall.EMSGSIZE
