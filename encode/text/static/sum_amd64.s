#include "textflag.h"

#define TERM(offset, sum) \
	VPMOVSXBD offset(AX), Y8;  \
	VPMULLD   Y9, Y8, Y8;      \
	VPADDD    Y8, sum, sum

// func sumAVX2(sums *int32, rows *byte, dim int, ids *int32, factors *uint32, n int)
TEXT ·sumAVX2(SB), NOSPLIT, $0-48
	MOVQ sums+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ dim+16(FP), R8
	MOVQ ids+24(FP), R9
	MOVQ factors+32(FP), R10
	MOVQ n+40(FP), R11
	XORQ CX, CX

fetch: // rows are all over the table: have them all on the way before one is waited for
	MOVL  (R9)(CX*4), AX
	IMULQ R8, AX
	ADDQ  SI, AX
	MOVQ  R8, R12

line:
	PREFETCHT0 (AX)
	ADDQ       $64, AX
	SUBQ       $64, R12
	JG         line
	INCQ       CX
	CMPQ       CX, R11
	JLT        fetch
	XORQ       R12, R12       // numbers that are done

chunk: // 64 numbers of all rows stay in registers
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	XORQ  CX, CX

piece:
	CMPQ         CX, R11
	JGE          store
	MOVL         (R9)(CX*4), AX
	VPBROADCASTD (R10)(AX*4), Y9
	IMULQ        R8, AX
	ADDQ         SI, AX
	ADDQ         R12, AX
	TERM(0, Y0)
	TERM(8, Y1)
	TERM(16, Y2)
	TERM(24, Y3)
	TERM(32, Y4)
	TERM(40, Y5)
	TERM(48, Y6)
	TERM(56, Y7)
	INCQ         CX
	JMP          piece

store:
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	VMOVDQU Y2, 64(DI)
	VMOVDQU Y3, 96(DI)
	VMOVDQU Y4, 128(DI)
	VMOVDQU Y5, 160(DI)
	VMOVDQU Y6, 192(DI)
	VMOVDQU Y7, 224(DI)
	ADDQ    $256, DI
	ADDQ    $64, R12
	CMPQ    R12, R8
	JLT     chunk
	VZEROUPPER
	RET
