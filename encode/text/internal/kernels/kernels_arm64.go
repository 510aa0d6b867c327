package kernels

// sumsNEON multiplies two rows of a, lda apart, with an unpacked tile and writes the sums.
// pairs is a multiple of four.
//
//go:noescape
func sumsNEON(pairs int, a *int16, lda int, b *int16, sums *[2][TileOut]int32)

//go:noescape
func spreadNEON(dst *int16, src *byte, pairs int)

// Spread unpacks a tile of int8 weights, TileOut columns, to 16 bits. The weights of each two
// inputs to an output come to lie side by side.
func Spread(dst []int16, src []byte) {
	dst = dst[:len(src)]
	spreadNEON(&dst[0], &src[0], len(src)/(2*TileOut))
}

// Product multiplies 4 or 6 rows of a, k integers each and lda apart, with an unpacked tile and
// with the rows' scales. It writes TileOut columns of c, or adds to them. k is a multiple of 8
// and at most 384.
func Product(rows, k int, a []int16, lda int, b []int16, scales, c []float32, ldc int, add bool) {
	_, _ = a[(rows-1)*lda+k-1], b[k*TileOut-1]
	for r := 0; r < rows; r += 2 {
		var sums [2][TileOut]int32
		sumsNEON(k/2, &a[r*lda], lda, &b[0], &sums)
		for i := range sums {
			storeScaled((*[TileOut]float32)(c[(r+i)*ldc:]), &sums[i], scales[r+i], add)
		}
	}
}
