package minilm

// sumsNEON multiplies two rows of a, lda apart, with an unpacked tile and writes the sums.
// pairs is a multiple of four.
//
//go:noescape
func sumsNEON(pairs int, a *int16, lda int, b *int16, sums *[2][tileOut]int32)

//go:noescape
func spreadNEON(dst *int16, src *byte, pairs int)

func spreadTile(dst []int16, src []byte) {
	dst = dst[:len(src)]
	spreadNEON(&dst[0], &src[0], len(src)/(2*tileOut))
}

func tileProduct(rows, k int, a []int16, lda int, b []int16, scales, c []float32, ldc int, add bool) {
	_, _ = a[(rows-1)*lda+k-1], b[k*tileOut-1]
	for r := 0; r < rows; r += 2 {
		var sums [2][tileOut]int32
		sumsNEON(k/2, &a[r*lda], lda, &b[0], &sums)
		for i := range sums {
			storeScaled((*[tileOut]float32)(c[(r+i)*ldc:]), &sums[i], scales[r+i], add)
		}
	}
}
