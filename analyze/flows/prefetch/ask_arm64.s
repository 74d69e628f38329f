#include "textflag.h"

// func ask(addresses **uint64, n int)
TEXT ·ask(SB), NOSPLIT, $0-16
	MOVD addresses+0(FP), R0
	MOVD n+8(FP), R1

next:
	CBZ    R1, done
	MOVD.P 8(R0), R2
	PRFM   (R2), PLDL1KEEP
	SUB    $1, R1
	B      next

done:
	RET

// func askAll(p unsafe.Pointer, size uintptr)
TEXT ·askAll(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD size+8(FP), R1
	ADD  R0, R1
	AND  $~63, R0

line:
	CMP  R1, R0
	BHS  all
	PRFM (R0), PLDL1KEEP
	ADD  $64, R0
	B    line

all:
	RET
