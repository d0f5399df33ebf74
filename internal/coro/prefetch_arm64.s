#include "textflag.h"

// func Prefetch(addr uintptr)
TEXT ·Prefetch(SB), NOSPLIT, $0-8
	MOVD addr+0(FP), R0
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	RET

// func stackPointer() uintptr
TEXT ·stackPointer(SB), NOSPLIT, $0-8
	MOVD RSP, R0
	MOVD R0, ret+0(FP)
	RET
