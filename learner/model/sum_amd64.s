#include "textflag.h"

// Eight lanes that count, eight that don't.
DATA mask<>+0(SB)/8, $-1
DATA mask<>+8(SB)/8, $-1
DATA mask<>+16(SB)/8, $-1
DATA mask<>+24(SB)/8, $-1
DATA mask<>+32(SB)/8, $0
DATA mask<>+40(SB)/8, $0
DATA mask<>+48(SB)/8, $0
DATA mask<>+56(SB)/8, $0
GLOBL mask<>(SB), RODATA|NOPTR, $64

// func sumTermsAVX2(dst *float32, classes int, terms *feature.Term, n int, rowOf *atomic.Int32, rows int, pages *[]float32, shift uint)
//
// Terms are taken 64 at a time: their rows are looked up first, without a branch on
// whether there is one, and fetched into the cache; then they are summed, some
// classes at a time. So the waits for memory overlap. Products and sums are rounded
// one after the other and in the order of the terms, as Go does.
TEXT ·sumTermsAVX2(SB), 0, $768-64
	MOVQ terms+16(FP), SI
	MOVQ rowOf+32(FP), DI
	MOVQ rows+40(FP), R8
	MOVQ pages+48(FP), R9
	MOVQ shift+56(FP), CX
	MOVL $1, R11
	SHLL CX, R11
	DECL R11                // rows of a page, less 1
	MOVQ classes+8(FP), R12
	SHLQ $2, R12            // bytes of a row

chunk:
	MOVQ    n+24(FP), R13
	TESTQ   R13, R13
	JLE     done
	MOVQ    $64, AX
	CMPQ    R13, AX
	CMOVQGT AX, R13
	SUBQ    R13, n+24(FP)
	XORQ    BX, BX

fetch:
	MOVL       (SI)(BX*4), AX
	SHRL       $14, AX
	PREFETCHT0 (DI)(AX*4)
	INCQ       BX
	CMPQ       BX, R13
	JLT        fetch
	XORQ       BX, BX          // how many have a row

find:
	MOVL       (SI), AX
	ADDQ       $4, SI
	MOVL       AX, DX
	SHRL       $14, DX
	MOVL       (DI)(DX*4), DX
	DECL       DX
	SHLL       $18, AX
	SARL       $18, AX
	MOVL       AX, units-768(SP)(BX*4)
	CMPL       DX, R8
	SBBQ       R10, R10                // -1 if there is a row, else 0
	ANDL       R10, DX
	MOVL       DX, AX
	SHRL       CX, AX
	ANDL       R11, DX
	IMULQ      R12, DX
	LEAQ       (AX)(AX*2), AX          // a slice has three words
	ADDQ       (R9)(AX*8), DX
	PREFETCHT0 (DX)
	MOVQ       DX, places-512(SP)(BX*8)
	SUBQ       R10, BX
	DECQ       R13
	JNZ        find

	MOVQ dst+0(FP), R15
	MOVQ R12, R13           // bytes that are left of a row
	XORQ DX, DX             // bytes that are done

by32:
	CMPQ    R13, $128
	JLT     by8
	VMOVUPS (R15)(DX*1), Y0
	VMOVUPS 32(R15)(DX*1), Y1
	VMOVUPS 64(R15)(DX*1), Y2
	VMOVUPS 96(R15)(DX*1), Y3
	XORQ    AX, AX
	JMP     more32

next32:
	VBROADCASTSS units-768(SP)(AX*4), Y4
	VCVTDQ2PS    Y4, Y4
	MOVQ         places-512(SP)(AX*8), R10
	INCQ         AX
	VMULPS       (R10)(DX*1), Y4, Y5
	VMULPS       32(R10)(DX*1), Y4, Y6
	VMULPS       64(R10)(DX*1), Y4, Y7
	VMULPS       96(R10)(DX*1), Y4, Y8
	VADDPS       Y5, Y0, Y0
	VADDPS       Y6, Y1, Y1
	VADDPS       Y7, Y2, Y2
	VADDPS       Y8, Y3, Y3

more32:
	CMPQ    AX, BX
	JLT     next32
	VMOVUPS Y0, (R15)(DX*1)
	VMOVUPS Y1, 32(R15)(DX*1)
	VMOVUPS Y2, 64(R15)(DX*1)
	VMOVUPS Y3, 96(R15)(DX*1)
	ADDQ    $128, DX
	SUBQ    $128, R13
	JMP     by32

by8:
	CMPQ    R13, $32
	JLT     rest
	VMOVUPS (R15)(DX*1), Y0
	XORQ    AX, AX
	JMP     more8

next8:
	VBROADCASTSS units-768(SP)(AX*4), Y4
	VCVTDQ2PS    Y4, Y4
	MOVQ         places-512(SP)(AX*8), R10
	INCQ         AX
	VMULPS       (R10)(DX*1), Y4, Y5
	VADDPS       Y5, Y0, Y0

more8:
	CMPQ    AX, BX
	JLT     next8
	VMOVUPS Y0, (R15)(DX*1)
	ADDQ    $32, DX
	SUBQ    $32, R13
	JMP     by8

rest:
	TESTQ      R13, R13
	JLE        chunk
	LEAQ       mask<>+32(SB), AX
	SUBQ       R13, AX
	VMOVUPS    (AX), Y9
	VMASKMOVPS (R15)(DX*1), Y9, Y0
	XORQ       AX, AX
	JMP        moreRest

nextRest:
	VBROADCASTSS units-768(SP)(AX*4), Y4
	VCVTDQ2PS    Y4, Y4
	MOVQ         places-512(SP)(AX*8), R10
	INCQ         AX
	VMASKMOVPS   (R10)(DX*1), Y9, Y5
	VMULPS       Y5, Y4, Y5
	VADDPS       Y5, Y0, Y0

moreRest:
	CMPQ       AX, BX
	JLT        nextRest
	VMASKMOVPS Y0, Y9, (R15)(DX*1)
	JMP        chunk

done:
	VZEROUPPER
	RET
