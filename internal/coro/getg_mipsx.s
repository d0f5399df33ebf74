//go:build mips || mipsle

#include "textflag.h"

// func Getg() uintptr
TEXT ·Getg(SB), NOSPLIT, $0-4
	MOVW g, ret+0(FP)
	RET
