#include "textflag.h"

// Instructions that Go's assembler has no names for. Multiply-add of four 16 bits of
// w, the lower or the upper, with number i of a (below V16) to four sums of 32 bits,
// and eight bytes to 16 bits, with their sign.
#define SMLAL(i, a, w, sum)  WORD $(0x0f402000 | ((i)>>2)<<11 | (((i)>>1)&1)<<21 | ((i)&1)<<20 | (a)<<16 | (w)<<5 | (sum))
#define SMLAL2(i, a, w, sum) WORD $(0x4f402000 | ((i)>>2)<<11 | (((i)>>1)&1)<<21 | ((i)&1)<<20 | (a)<<16 | (w)<<5 | (sum))
#define SXTL(from, to)       WORD $(0x0f08a400 | (from)<<5 | (to))
#define SXTL2(from, to)      WORD $(0x4f08a400 | (from)<<5 | (to))

// A pair of inner numbers, i and the next, of one row, V(a), with 16 columns: the
// even ones of the pairs of columns 0 to 7 are in V4, the odd ones in V5, those of
// columns 8 to 15 in V6 and V7.
#define ROW(i, a, s0, s1, s2, s3) \
	SMLAL(i, a, 4, s0);    \
	SMLAL2(i, a, 4, s1);   \
	SMLAL(i, a, 6, s2);    \
	SMLAL2(i, a, 6, s3);   \
	SMLAL(i+1, a, 5, s0);  \
	SMLAL2(i+1, a, 5, s1); \
	SMLAL(i+1, a, 7, s2);  \
	SMLAL2(i+1, a, 7, s3)

#define PAIR(i) \
	VLD2.P 32(R3), [V4.H8, V5.H8];  \
	VLD2.P 32(R3), [V6.H8, V7.H8];  \
	ROW(i, 0, 16, 17, 18, 19);      \
	ROW(i, 1, 20, 21, 22, 23)

// func sumsNEON(pairs int, a *int16, lda int, b *int16, sums *[2][TileOut]int32)
TEXT ·sumsNEON(SB), NOSPLIT, $0-40
	MOVD pairs+0(FP), R0
	MOVD a+8(FP), R1
	MOVD lda+16(FP), R2
	MOVD b+24(FP), R3
	MOVD sums+32(FP), R4
	ADD  R2<<1, R1, R2
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
	VEOR V20.B16, V20.B16, V20.B16
	VEOR V21.B16, V21.B16, V21.B16
	VEOR V22.B16, V22.B16, V22.B16
	VEOR V23.B16, V23.B16, V23.B16

pairs4:
	VLD1.P 16(R1), [V0.H8]
	VLD1.P 16(R2), [V1.H8]
	PAIR(0)
	PAIR(2)
	PAIR(4)
	PAIR(6)
	SUBS   $4, R0, R0
	BNE    pairs4
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R4)
	VST1   [V20.S4, V21.S4, V22.S4, V23.S4], (R4)
	RET

// func spreadNEON(dst *int16, src *byte, pairs int)
//
// Two rows of 16 bytes become 16 pairs of 16 bits.
TEXT ·spreadNEON(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD pairs+16(FP), R2

spread1:
	VLD1.P 32(R1), [V0.B16, V1.B16]
	VZIP1  V1.B16, V0.B16, V2.B16
	VZIP2  V1.B16, V0.B16, V3.B16
	SXTL(2, 4)
	SXTL2(2, 5)
	SXTL(3, 6)
	SXTL2(3, 7)
	VST1.P [V4.H8, V5.H8, V6.H8, V7.H8], 64(R0)
	SUBS   $1, R2, R2
	BNE    spread1
	RET
