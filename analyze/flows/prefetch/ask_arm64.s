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

// func askSpan(first, last *uint64)
TEXT ·askSpan(SB), NOSPLIT, $0-16
	MOVD first+0(FP), R0
	MOVD last+8(FP), R1
	AND  $~63, R0

line:
	CMP  R1, R0 // R0 - R1
	BHI  all
	PRFM (R0), PLDL1KEEP
	ADD  $64, R0
	B    line

all:
	RET
