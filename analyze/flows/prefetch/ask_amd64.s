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

// func askAll(p unsafe.Pointer, size uintptr)
TEXT ·askAll(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ size+8(FP), CX
	ADDQ AX, CX
	ANDQ $~63, AX
	JMP  more

line:
	PREFETCHT0 (AX)
	ADDQ       $64, AX

more:
	CMPQ AX, CX
	JLO  line
	RET
