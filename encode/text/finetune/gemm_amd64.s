#include "textflag.h"

// Products of float32: six, four or one row by 16 columns. Each sum goes over the inner
// dimension in order, with one rounding a step, so a row has the same bits in all three.

// One inner number of a product: 16 columns of b by two rows of a at an offset. R8 and R11
// are the distances of the rows of a and c in bytes; the middle pointers are three rows, or
// two, further than the first.
#define COLUMNS \
	VMOVUPS (DI), Y12;   \
	VMOVUPS 32(DI), Y13; \
	ADDQ    R10, DI

#define ROWS(first, second, s0, s1, s2, s3) \
	VBROADCASTSS first, Y14;    \
	VBROADCASTSS second, Y15;   \
	VFMADD231PS  Y12, Y14, s0;  \
	VFMADD231PS  Y13, Y14, s1;  \
	VFMADD231PS  Y12, Y15, s2;  \
	VFMADD231PS  Y13, Y15, s3

#define STEP6(off) \
	COLUMNS;                                              \
	ROWS(off(SI), off(SI)(R8*1), Y0, Y1, Y2, Y3);         \
	ROWS(off(SI)(R8*2), off(R9), Y4, Y5, Y6, Y7);         \
	ROWS(off(R9)(R8*1), off(R9)(R8*2), Y8, Y9, Y10, Y11)

#define STEP4(off) \
	COLUMNS;                                      \
	ROWS(off(SI), off(SI)(R8*1), Y0, Y1, Y2, Y3); \
	ROWS(off(R9), off(R9)(R8*1), Y4, Y5, Y6, Y7)

// func gemm6AVX2(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, add bool)
TEXT ·gemm6AVX2(SB), NOSPLIT, $0-57
	MOVQ    k+0(FP), CX
	MOVQ    a+8(FP), SI
	MOVQ    lda+16(FP), R8
	MOVQ    b+24(FP), DI
	MOVQ    ldb+32(FP), R10
	MOVQ    c+40(FP), DX
	MOVQ    ldc+48(FP), R11
	MOVBLZX add+56(FP), AX
	SHLQ    $2, R8
	SHLQ    $2, R10
	SHLQ    $2, R11
	LEAQ    (SI)(R8*2), R9
	ADDQ    R8, R9
	LEAQ    (DX)(R11*2), BX
	ADDQ    R11, BX
	TESTL   AX, AX
	JNE     load6
	VXORPS  Y0, Y0, Y0
	VXORPS  Y1, Y1, Y1
	VXORPS  Y2, Y2, Y2
	VXORPS  Y3, Y3, Y3
	VXORPS  Y4, Y4, Y4
	VXORPS  Y5, Y5, Y5
	VXORPS  Y6, Y6, Y6
	VXORPS  Y7, Y7, Y7
	VXORPS  Y8, Y8, Y8
	VXORPS  Y9, Y9, Y9
	VXORPS  Y10, Y10, Y10
	VXORPS  Y11, Y11, Y11
	JMP     four6

load6:
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1
	VMOVUPS (DX)(R11*1), Y2
	VMOVUPS 32(DX)(R11*1), Y3
	VMOVUPS (DX)(R11*2), Y4
	VMOVUPS 32(DX)(R11*2), Y5
	VMOVUPS (BX), Y6
	VMOVUPS 32(BX), Y7
	VMOVUPS (BX)(R11*1), Y8
	VMOVUPS 32(BX)(R11*1), Y9
	VMOVUPS (BX)(R11*2), Y10
	VMOVUPS 32(BX)(R11*2), Y11

four6:
	CMPQ CX, $4
	JLT  one6
	STEP6(0)
	STEP6(4)
	STEP6(8)
	STEP6(12)
	ADDQ $16, SI
	ADDQ $16, R9
	SUBQ $4, CX
	JMP  four6

one6:
	TESTQ CX, CX
	JLE   store6
	STEP6(0)
	ADDQ  $4, SI
	ADDQ  $4, R9
	DECQ  CX
	JMP   one6

store6:
	VMOVUPS Y0, (DX)
	VMOVUPS Y1, 32(DX)
	VMOVUPS Y2, (DX)(R11*1)
	VMOVUPS Y3, 32(DX)(R11*1)
	VMOVUPS Y4, (DX)(R11*2)
	VMOVUPS Y5, 32(DX)(R11*2)
	VMOVUPS Y6, (BX)
	VMOVUPS Y7, 32(BX)
	VMOVUPS Y8, (BX)(R11*1)
	VMOVUPS Y9, 32(BX)(R11*1)
	VMOVUPS Y10, (BX)(R11*2)
	VMOVUPS Y11, 32(BX)(R11*2)
	VZEROUPPER
	RET

// func gemm4AVX2(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, add bool)
TEXT ·gemm4AVX2(SB), NOSPLIT, $0-57
	MOVQ    k+0(FP), CX
	MOVQ    a+8(FP), SI
	MOVQ    lda+16(FP), R8
	MOVQ    b+24(FP), DI
	MOVQ    ldb+32(FP), R10
	MOVQ    c+40(FP), DX
	MOVQ    ldc+48(FP), R11
	MOVBLZX add+56(FP), AX
	SHLQ    $2, R8
	SHLQ    $2, R10
	SHLQ    $2, R11
	LEAQ    (SI)(R8*2), R9
	LEAQ    (DX)(R11*2), BX
	TESTL   AX, AX
	JNE     load4
	VXORPS  Y0, Y0, Y0
	VXORPS  Y1, Y1, Y1
	VXORPS  Y2, Y2, Y2
	VXORPS  Y3, Y3, Y3
	VXORPS  Y4, Y4, Y4
	VXORPS  Y5, Y5, Y5
	VXORPS  Y6, Y6, Y6
	VXORPS  Y7, Y7, Y7
	JMP     four4

load4:
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1
	VMOVUPS (DX)(R11*1), Y2
	VMOVUPS 32(DX)(R11*1), Y3
	VMOVUPS (BX), Y4
	VMOVUPS 32(BX), Y5
	VMOVUPS (BX)(R11*1), Y6
	VMOVUPS 32(BX)(R11*1), Y7

four4:
	CMPQ CX, $4
	JLT  one4
	STEP4(0)
	STEP4(4)
	STEP4(8)
	STEP4(12)
	ADDQ $16, SI
	ADDQ $16, R9
	SUBQ $4, CX
	JMP  four4

one4:
	TESTQ CX, CX
	JLE   store4
	STEP4(0)
	ADDQ  $4, SI
	ADDQ  $4, R9
	DECQ  CX
	JMP   one4

store4:
	VMOVUPS Y0, (DX)
	VMOVUPS Y1, 32(DX)
	VMOVUPS Y2, (DX)(R11*1)
	VMOVUPS Y3, 32(DX)(R11*1)
	VMOVUPS Y4, (BX)
	VMOVUPS Y5, 32(BX)
	VMOVUPS Y6, (BX)(R11*1)
	VMOVUPS Y7, 32(BX)(R11*1)
	VZEROUPPER
	RET

// func gemm1AVX2(k int, a *float32, b *float32, ldb int, c *float32, add bool)
TEXT ·gemm1AVX2(SB), NOSPLIT, $0-41
	MOVQ    k+0(FP), CX
	MOVQ    a+8(FP), SI
	MOVQ    b+16(FP), DI
	MOVQ    ldb+24(FP), R10
	MOVQ    c+32(FP), DX
	MOVBLZX add+40(FP), AX
	SHLQ    $2, R10
	VXORPS  Y0, Y0, Y0
	VXORPS  Y1, Y1, Y1
	TESTL   AX, AX
	JEQ     one1
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1

one1:
	COLUMNS
	VBROADCASTSS (SI), Y14
	VFMADD231PS  Y12, Y14, Y0
	VFMADD231PS  Y13, Y14, Y1
	ADDQ         $4, SI
	DECQ         CX
	JNE          one1
	VMOVUPS      Y0, (DX)
	VMOVUPS      Y1, 32(DX)
	VZEROUPPER
	RET
