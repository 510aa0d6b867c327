#include "textflag.h"

// Vectors are eight numbers wide; all lengths are multiples of eight, those of
// quantize of 16, and of product of four pairs. Each number
// is computed as kernels.go does it, operation by operation.

// func spreadAVX2(dst *int16, src *byte, pairs int)
//
// Two rows of 16 bytes become 16 pairs of 16 bits.
TEXT ·spreadAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ pairs+16(FP), CX

spread1:
	VMOVDQU    (SI), X0
	VMOVDQU    16(SI), X1
	VPUNPCKLBW X1, X0, X2
	VPUNPCKHBW X1, X0, X3
	VPMOVSXBW  X2, Y2
	VPMOVSXBW  X3, Y3
	VMOVDQU    Y2, (DI)
	VMOVDQU    Y3, 32(DI)
	ADDQ       $32, SI
	ADDQ       $64, DI
	DECQ       CX
	JNE        spread1
	VZEROUPPER
	RET

// func quantizeAVX2(dst *int16, x *float32, n int, scale *float32, constants *[3]float32)
TEXT ·quantizeAVX2(SB), NOSPLIT, $0-40
	MOVQ       dst+0(FP), DI
	MOVQ       x+8(FP), SI
	MOVQ       n+16(FP), CX
	MOVQ       scale+24(FP), DX
	MOVQ       constants+32(FP), R8
	VPCMPEQD   Y1, Y1, Y1
	VPSRLD     $1, Y1, Y1           // all but the sign
	VXORPS     Y0, Y0, Y0
	VXORPS     Y5, Y5, Y5
	XORQ       AX, AX

quantizeMost:
	VANDPS       (SI)(AX*4), Y1, Y2
	VANDPS       32(SI)(AX*4), Y1, Y3
	VMAXPS       Y2, Y0, Y0
	VMAXPS       Y3, Y5, Y5
	ADDQ         $16, AX
	CMPQ         AX, CX
	JLT          quantizeMost
	VMAXPS       Y5, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VMOVHLPS     X0, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSHDUP    X0, X1
	VMAXSS       X1, X0, X0
	VMAXSS       (R8), X0, X0
	VMULSS       4(R8), X0, X1
	VMOVSS       X1, (DX)
	VMOVSS       8(R8), X1
	VDIVSS       X0, X1, X0
	VBROADCASTSS X0, Y4
	XORQ         AX, AX

quantize16:
	VMULPS     (SI)(AX*4), Y4, Y0
	VMULPS     32(SI)(AX*4), Y4, Y1
	VCVTPS2DQ  Y0, Y0
	VCVTPS2DQ  Y1, Y1
	VPACKSSDW  Y1, Y0, Y0
	VPERMQ     $0xd8, Y0, Y0
	VMOVDQU    Y0, (DI)(AX*2)
	ADDQ       $16, AX
	CMPQ       AX, CX
	JLT        quantize16
	VZEROUPPER
	RET

// A pair of inner numbers of a product: 16 columns by one row at an offset.
#define INTS(row, s0, s1) \
	VPBROADCASTD row, Y14;       \
	VPMADDWD     Y12, Y14, Y15;  \
	VPADDD       Y15, s0, s0;    \
	VPMADDWD     Y13, Y14, Y15;  \
	VPADDD       Y15, s1, s1

#define PAIR6(off) \
	VMOVDQU 16*off(DI), Y12;          \
	VMOVDQU 16*off+32(DI), Y13;       \
	INTS(off(SI), Y0, Y1);            \
	INTS(off(SI)(R8*1), Y2, Y3);      \
	INTS(off(SI)(R8*2), Y4, Y5);      \
	INTS(off(R9), Y6, Y7);            \
	INTS(off(R9)(R8*1), Y8, Y9);      \
	INTS(off(R9)(R8*2), Y10, Y11)

#define PAIR4(off) \
	VMOVDQU 16*off(DI), Y12;     \
	VMOVDQU 16*off+32(DI), Y13;  \
	INTS(off(SI), Y0, Y1);       \
	INTS(off(SI)(R8*1), Y2, Y3); \
	INTS(off(R9), Y4, Y5);       \
	INTS(off(R9)(R8*1), Y6, Y7)

// The sums of a row times its scale, stored or added.
#define STORE(scale, s0, s1, c0, c1) \
	VBROADCASTSS scale, Y14;      \
	VCVTDQ2PS    s0, s0;          \
	VCVTDQ2PS    s1, s1;          \
	VMULPS       Y14, s0, s0;     \
	VMULPS       Y14, s1, s1;     \
	VMOVUPS      s0, c0;          \
	VMOVUPS      s1, c1

#define ADD(scale, s0, s1, c0, c1) \
	VBROADCASTSS scale, Y14;      \
	VCVTDQ2PS    s0, s0;          \
	VCVTDQ2PS    s1, s1;          \
	VFMADD213PS  c0, Y14, s0;     \
	VFMADD213PS  c1, Y14, s1;     \
	VMOVUPS      s0, c0;          \
	VMOVUPS      s1, c1

// func product6AVX2(pairs int, a *int16, lda int, b *int16, scales, c *float32, ldc int, add bool)
TEXT ·product6AVX2(SB), NOSPLIT, $0-57
	MOVQ    pairs+0(FP), CX
	MOVQ    a+8(FP), SI
	MOVQ    lda+16(FP), R8
	MOVQ    b+24(FP), DI
	MOVQ    scales+32(FP), R12
	MOVQ    c+40(FP), DX
	MOVQ    ldc+48(FP), R11
	MOVBLZX add+56(FP), AX
	SHLQ    $1, R8
	SHLQ    $2, R11
	LEAQ    (SI)(R8*2), R9
	ADDQ    R8, R9
	LEAQ    (DX)(R11*2), BX
	ADDQ    R11, BX
	VPXOR   Y0, Y0, Y0
	VPXOR   Y1, Y1, Y1
	VPXOR   Y2, Y2, Y2
	VPXOR   Y3, Y3, Y3
	VPXOR   Y4, Y4, Y4
	VPXOR   Y5, Y5, Y5
	VPXOR   Y6, Y6, Y6
	VPXOR   Y7, Y7, Y7
	VPXOR   Y8, Y8, Y8
	VPXOR   Y9, Y9, Y9
	VPXOR   Y10, Y10, Y10
	VPXOR   Y11, Y11, Y11

pairs6:
	PAIR6(0)
	PAIR6(4)
	PAIR6(8)
	PAIR6(12)
	ADDQ  $16, SI
	ADDQ  $16, R9
	ADDQ  $256, DI
	SUBQ  $4, CX
	JNE   pairs6
	TESTL AX, AX
	JNE   add6
	STORE(0(R12), Y0, Y1, (DX), 32(DX))
	STORE(4(R12), Y2, Y3, (DX)(R11*1), 32(DX)(R11*1))
	STORE(8(R12), Y4, Y5, (DX)(R11*2), 32(DX)(R11*2))
	STORE(12(R12), Y6, Y7, (BX), 32(BX))
	STORE(16(R12), Y8, Y9, (BX)(R11*1), 32(BX)(R11*1))
	STORE(20(R12), Y10, Y11, (BX)(R11*2), 32(BX)(R11*2))
	VZEROUPPER
	RET

add6:
	ADD(0(R12), Y0, Y1, (DX), 32(DX))
	ADD(4(R12), Y2, Y3, (DX)(R11*1), 32(DX)(R11*1))
	ADD(8(R12), Y4, Y5, (DX)(R11*2), 32(DX)(R11*2))
	ADD(12(R12), Y6, Y7, (BX), 32(BX))
	ADD(16(R12), Y8, Y9, (BX)(R11*1), 32(BX)(R11*1))
	ADD(20(R12), Y10, Y11, (BX)(R11*2), 32(BX)(R11*2))
	VZEROUPPER
	RET

// func product4AVX2(pairs int, a *int16, lda int, b *int16, scales, c *float32, ldc int, add bool)
TEXT ·product4AVX2(SB), NOSPLIT, $0-57
	MOVQ    pairs+0(FP), CX
	MOVQ    a+8(FP), SI
	MOVQ    lda+16(FP), R8
	MOVQ    b+24(FP), DI
	MOVQ    scales+32(FP), R12
	MOVQ    c+40(FP), DX
	MOVQ    ldc+48(FP), R11
	MOVBLZX add+56(FP), AX
	SHLQ    $1, R8
	SHLQ    $2, R11
	LEAQ    (SI)(R8*2), R9
	LEAQ    (DX)(R11*2), BX
	VPXOR   Y0, Y0, Y0
	VPXOR   Y1, Y1, Y1
	VPXOR   Y2, Y2, Y2
	VPXOR   Y3, Y3, Y3
	VPXOR   Y4, Y4, Y4
	VPXOR   Y5, Y5, Y5
	VPXOR   Y6, Y6, Y6
	VPXOR   Y7, Y7, Y7

pairs4:
	PAIR4(0)
	PAIR4(4)
	PAIR4(8)
	PAIR4(12)
	ADDQ  $16, SI
	ADDQ  $16, R9
	ADDQ  $256, DI
	SUBQ  $4, CX
	JNE   pairs4
	TESTL AX, AX
	JNE   add4
	STORE(0(R12), Y0, Y1, (DX), 32(DX))
	STORE(4(R12), Y2, Y3, (DX)(R11*1), 32(DX)(R11*1))
	STORE(8(R12), Y4, Y5, (BX), 32(BX))
	STORE(12(R12), Y6, Y7, (BX)(R11*1), 32(BX)(R11*1))
	VZEROUPPER
	RET

add4:
	ADD(0(R12), Y0, Y1, (DX), 32(DX))
	ADD(4(R12), Y2, Y3, (DX)(R11*1), 32(DX)(R11*1))
	ADD(8(R12), Y4, Y5, (BX), 32(BX))
	ADD(12(R12), Y6, Y7, (BX)(R11*1), 32(BX)(R11*1))
	VZEROUPPER
	RET

// One inner number of a product of float32: 16 columns of b by two rows of a at an
// offset. R8
// and R11 are the distances of the rows of a and c in bytes; the middle pointers
// are three rows, or two, further than the first.
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

// func scaleBiasAVX2(y, scale, bias *float32, n int)
TEXT ·scaleBiasAVX2(SB), NOSPLIT, $0-32
	MOVQ y+0(FP), DI
	MOVQ scale+8(FP), SI
	MOVQ bias+16(FP), DX
	MOVQ n+24(FP), CX
	XORQ AX, AX

scaleBias8:
	VMOVUPS     (DI)(AX*4), Y0
	VMOVUPS     (SI)(AX*4), Y1
	VFMADD213PS (DX)(AX*4), Y1, Y0
	VMOVUPS     Y0, (DI)(AX*4)
	ADDQ        $8, AX
	CMPQ        AX, CX
	JLT         scaleBias8
	VZEROUPPER
	RET

// func addScaledAVX2(x, y, scale, bias *float32, n int)
TEXT ·addScaledAVX2(SB), NOSPLIT, $0-40
	MOVQ x+0(FP), DI
	MOVQ y+8(FP), BX
	MOVQ scale+16(FP), SI
	MOVQ bias+24(FP), DX
	MOVQ n+32(FP), CX
	XORQ AX, AX

addScaled8:
	VMOVUPS     (BX)(AX*4), Y0
	VMOVUPS     (SI)(AX*4), Y1
	VFMADD213PS (DX)(AX*4), Y1, Y0
	VADDPS      (DI)(AX*4), Y0, Y0
	VMOVUPS     Y0, (DI)(AX*4)
	ADDQ        $8, AX
	CMPQ        AX, CX
	JLT         addScaled8
	VZEROUPPER
	RET

// func geluAVX2(h, scale, bias, factor *float32, n int, constants *[simdLanes]float32)
TEXT ·geluAVX2(SB), NOSPLIT, $0-48
	MOVQ    h+0(FP), DI
	MOVQ    scale+8(FP), SI
	MOVQ    bias+16(FP), DX
	MOVQ    factor+24(FP), BX
	MOVQ    n+32(FP), CX
	MOVQ    constants+40(FP), R8
	VMOVUPS (R8), Y8
	VMOVUPS 32(R8), Y9
	VMOVUPS 64(R8), Y10
	VMOVUPS 96(R8), Y11
	VMOVUPS 288(R8), Y12
	XORQ    AX, AX

gelu8:
	VMOVUPS     (DI)(AX*4), Y0
	VMOVUPS     (SI)(AX*4), Y1
	VFMADD213PS (DX)(AX*4), Y1, Y0  // v
	VMAXPS      Y8, Y0, Y1
	VMINPS      Y9, Y1, Y1          // u
	VMULPS      Y1, Y1, Y2          // t
	VMOVAPS     Y11, Y3
	VMOVAPS     Y12, Y4
	VFMADD213PS 128(R8), Y2, Y3
	VFMADD213PS 320(R8), Y2, Y4
	VFMADD213PS 160(R8), Y2, Y3
	VFMADD213PS 352(R8), Y2, Y4
	VFMADD213PS 192(R8), Y2, Y3
	VFMADD213PS 384(R8), Y2, Y4
	VFMADD213PS 224(R8), Y2, Y3
	VFMADD213PS 416(R8), Y2, Y4
	VFMADD213PS 256(R8), Y2, Y3     // P
	VFMADD213PS 448(R8), Y2, Y4     // Q
	VDIVPS      Y4, Y3, Y3
	VMULPS      Y1, Y3, Y3          // the distribution less a half
	VMULPS      Y10, Y0, Y5
	VFMADD213PS Y5, Y0, Y3
	VMULPS      (BX)(AX*4), Y3, Y3
	VMOVUPS     Y3, (DI)(AX*4)
	ADDQ        $8, AX
	CMPQ        AX, CX
	JLT         gelu8
	VZEROUPPER
	RET

// SUM8 leaves the sum of a vector's lanes in the first lane of x, and all of it
// there only. y is the vector, t and u are for its use.
#define SUM8(y, x, t, u) \
	VEXTRACTF128 $1, y, t;  \
	VADDPS       t, x, x;   \
	VMOVHLPS     x, x, u;   \
	VADDPS       u, x, x;   \
	VMOVSHDUP    x, u;      \
	VADDSS       u, x, x

// func normAVX2(x, weight, bias *float32, n int, constants *[2]float32)
TEXT ·normAVX2(SB), NOSPLIT, $0-40
	MOVQ   x+0(FP), DI
	MOVQ   weight+8(FP), SI
	MOVQ   bias+16(FP), DX
	MOVQ   n+24(FP), CX
	MOVQ   constants+32(FP), R8
	VXORPS Y0, Y0, Y0
	XORQ   AX, AX

normSum:
	VADDPS (DI)(AX*4), Y0, Y0
	ADDQ   $8, AX
	CMPQ   AX, CX
	JLT    normSum
	SUM8(Y0, X0, X1, X2)
	VMULSS       (R8), X0, X0
	VBROADCASTSS X0, Y5          // mean
	VXORPS       Y0, Y0, Y0
	XORQ         AX, AX

normSquares:
	VMOVUPS     (DI)(AX*4), Y1
	VSUBPS      Y5, Y1, Y1
	VFMADD231PS Y1, Y1, Y0
	ADDQ        $8, AX
	CMPQ        AX, CX
	JLT         normSquares
	SUM8(Y0, X0, X1, X2)
	VMULSS       (R8), X0, X0
	VADDSS       4(R8), X0, X0
	VSQRTSS      X0, X0, X0
	MOVL         $0x3f800000, AX // 1
	VMOVD        AX, X1
	VDIVSS       X0, X1, X0
	VBROADCASTSS X0, Y6
	XORQ         AX, AX

normScale:
	VMOVUPS     (DI)(AX*4), Y1
	VSUBPS      Y5, Y1, Y1
	VMULPS      Y6, Y1, Y1
	VMOVUPS     (SI)(AX*4), Y2
	VFMADD213PS (DX)(AX*4), Y2, Y1
	VMOVUPS     Y1, (DI)(AX*4)
	ADDQ        $8, AX
	CMPQ        AX, CX
	JLT         normScale
	VZEROUPPER
	RET

// func softmaxAVX2(row *float32, n int, scale float32, constants *[simdLanes]float32)
TEXT ·softmaxAVX2(SB), NOSPLIT, $0-32
	MOVQ         row+0(FP), DI
	MOVQ         n+8(FP), CX
	VBROADCASTSS scale+16(FP), Y15
	MOVQ         constants+24(FP), R8
	VMOVUPS      (DI), Y0
	MOVQ         $8, AX
	JMP          maxTest

max8:
	VMAXPS (DI)(AX*4), Y0, Y0
	ADDQ   $8, AX

maxTest:
	CMPQ         AX, CX
	JLT          max8
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VMOVHLPS     X0, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSHDUP    X0, X1
	VMAXSS       X1, X0, X0
	VBROADCASTSS X0, Y14        // the most
	VMOVUPS      (R8), Y13
	VMOVUPS      32(R8), Y12
	VMOVUPS      64(R8), Y11
	VMOVUPS      96(R8), Y10
	VMOVUPS      128(R8), Y9
	VMOVUPS      160(R8), Y8
	VXORPS       Y0, Y0, Y0
	XORQ         AX, AX

exp8:
	VMOVUPS     (DI)(AX*4), Y1
	VSUBPS      Y14, Y1, Y1
	VMULPS      Y15, Y1, Y1
	VMAXPS      Y13, Y1, Y1     // x
	VMOVAPS     Y11, Y2
	VFMADD231PS Y12, Y1, Y2     // t
	VSUBPS      Y11, Y2, Y3     // n
	VFMADD231PS Y10, Y3, Y1
	VFMADD231PS Y9, Y3, Y1      // r
	VMOVAPS     Y8, Y4
	VFMADD213PS 192(R8), Y1, Y4
	VFMADD213PS 224(R8), Y1, Y4
	VFMADD213PS 256(R8), Y1, Y4
	VFMADD213PS 288(R8), Y1, Y4
	VFMADD213PS 320(R8), Y1, Y4
	VFMADD213PS 352(R8), Y1, Y4
	VFMADD213PS 384(R8), Y1, Y4
	VPSLLD      $23, Y2, Y2
	VPADDD      Y2, Y4, Y4
	VMOVUPS     Y4, (DI)(AX*4)
	VADDPS      Y4, Y0, Y0
	ADDQ        $8, AX
	CMPQ        AX, CX
	JLT         exp8
	SUM8(Y0, X0, X1, X2)
	MOVL         $0x3f800000, AX // 1
	VMOVD        AX, X1
	VDIVSS       X0, X1, X0
	VBROADCASTSS X0, Y5
	XORQ         AX, AX

softmaxScale:
	VMULPS  (DI)(AX*4), Y5, Y1
	VMOVUPS Y1, (DI)(AX*4)
	ADDQ    $8, AX
	CMPQ    AX, CX
	JLT     softmaxScale
	VZEROUPPER
	RET
