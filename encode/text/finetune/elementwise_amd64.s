#include "textflag.h"

// Eight numbers at a time, up to rounding as elementwise.go computes them. R8 has the
// constants, eight times each.

#define CDF_CONSTANTS \
	VMOVUPS (R8), Y13;   \
	VMOVUPS 32(R8), Y14; \
	VMOVUPS 64(R8), Y10; \
	VMOVUPS 96(R8), Y11; \
	VMOVUPS 288(R8), Y12

// CDF leaves the normal distribution function of Y0 in Y3.
#define CDF \
	VMAXPS      Y13, Y0, Y1;     \
	VMINPS      Y14, Y1, Y1;     \
	VMULPS      Y1, Y1, Y2;      \
	VMOVAPS     Y11, Y3;         \
	VMOVAPS     Y12, Y4;         \
	VFMADD213PS 128(R8), Y2, Y3; \
	VFMADD213PS 320(R8), Y2, Y4; \
	VFMADD213PS 160(R8), Y2, Y3; \
	VFMADD213PS 352(R8), Y2, Y4; \
	VFMADD213PS 192(R8), Y2, Y3; \
	VFMADD213PS 384(R8), Y2, Y4; \
	VFMADD213PS 224(R8), Y2, Y3; \
	VFMADD213PS 416(R8), Y2, Y4; \
	VFMADD213PS 256(R8), Y2, Y3; \
	VFMADD213PS 448(R8), Y2, Y4; \
	VDIVPS      Y4, Y3, Y3;      \
	VFMADD213PS Y10, Y1, Y3

// func geluAVX2(out, x *float32, n int, constants *[8]float32)
TEXT ·geluAVX2(SB), NOSPLIT, $0-32
	MOVQ out+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ constants+24(FP), R8
	CDF_CONSTANTS
	XORQ AX, AX

gelu8:
	VMOVUPS (SI)(AX*4), Y0
	CDF
	VMULPS  Y0, Y3, Y3
	VMOVUPS Y3, (DI)(AX*4)
	ADDQ    $8, AX
	CMPQ    AX, CX
	JLT     gelu8
	VZEROUPPER
	RET

// func geluBackAVX2(out, gradient, x *float32, n int, constants *[8]float32)
TEXT ·geluBackAVX2(SB), NOSPLIT, $0-40
	MOVQ out+0(FP), DI
	MOVQ gradient+8(FP), DX
	MOVQ x+16(FP), SI
	MOVQ n+24(FP), CX
	MOVQ constants+32(FP), R8
	CDF_CONSTANTS
	XORQ AX, AX

geluBack8:
	VMOVUPS     (SI)(AX*4), Y0
	CDF
	VMULPS      Y0, Y3, Y5
	VMOVUPS     Y5, (DI)(AX*4)
	VMULPS      Y0, Y0, Y5
	VMULPS      864(R8), Y5, Y5
	VMAXPS      480(R8), Y5, Y5 // what e is raised to
	VMOVUPS     512(R8), Y6
	VMOVUPS     544(R8), Y7
	VFMADD213PS Y7, Y5, Y6      // the nearest power of two in the lowest bits
	VSUBPS      Y7, Y6, Y7
	VFMADD231PS 576(R8), Y7, Y5
	VFMADD231PS 608(R8), Y7, Y5 // what remains
	VMOVUPS     640(R8), Y9
	VFMADD213PS 672(R8), Y5, Y9
	VFMADD213PS 704(R8), Y5, Y9
	VFMADD213PS 736(R8), Y5, Y9
	VFMADD213PS 768(R8), Y5, Y9
	VFMADD213PS Y10, Y5, Y9
	VMULPS      Y5, Y9, Y9
	VFMADD213PS Y5, Y5, Y9
	VADDPS      800(R8), Y9, Y9
	VPSLLD      $23, Y6, Y6
	VPADDD      Y6, Y9, Y9
	VMULPS      Y0, Y9, Y9
	VFMADD231PS 832(R8), Y9, Y3
	VMULPS      (DX)(AX*4), Y3, Y3
	VMOVUPS     Y3, (DX)(AX*4)
	ADDQ        $8, AX
	CMPQ        AX, CX
	JLT         geluBack8
	VZEROUPPER
	RET
