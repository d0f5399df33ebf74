//go:build unix

package aioexec

import "syscall"

func setGroup(attr *syscall.SysProcAttr) { attr.Setpgid, attr.Pgid = true, 0 }
