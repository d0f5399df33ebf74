//go:build mips64 || mips64le

#include "textflag.h"

// func Getg() uintptr
TEXT ·Getg(SB), NOSPLIT, $0-8
	MOVV g, ret+0(FP)
	RET
