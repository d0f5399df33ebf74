package aioexec

import (
	"os"
	"syscall"
)

func init() { terminateSignal = os.Kill }

func setGroup(attr *syscall.SysProcAttr) { attr.CreationFlags |= syscall.CREATE_NEW_PROCESS_GROUP }
