#include "textflag.h"

// func ask(addresses **uint64, n int)
TEXT ·ask(SB), NOSPLIT, $0-16
	MOVQ addresses+0(FP), SI
	MOVQ n+8(FP), CX
	JMP  check

next:
	MOVQ       (SI), AX
	PREFETCHT0 (AX)
	ADDQ       $8, SI
	DECQ       CX

check:
	TESTQ CX, CX
	JNZ   next
	RET

// func askSpan(first, last *uint64)
TEXT ·askSpan(SB), NOSPLIT, $0-16
	MOVQ first+0(FP), AX
	MOVQ last+8(FP), CX
	ANDQ $~63, AX
	JMP  more

line:
	PREFETCHT0 (AX)
	ADDQ       $64, AX

more:
	CMPQ AX, CX
	JLS  line
	RET
