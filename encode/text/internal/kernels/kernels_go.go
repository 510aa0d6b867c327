//go:build !amd64 && !arm64

package kernels

// Spread unpacks a tile of int8 weights, TileOut columns, to 16 bits. The weights of each two
// inputs to an output come to lie side by side.
func Spread(dst []int16, src []byte) { spreadGo(dst, src) }

// Product multiplies 4 or 6 rows of a, k integers each and lda apart, with an unpacked tile and
// with the rows' scales. It writes TileOut columns of c, or adds to them. k is a multiple of 8
// and at most 384.
func Product(rows, k int, a []int16, lda int, b []int16, scales, c []float32, ldc int, add bool) {
	productGo(rows, k, a, lda, b, scales, c, ldc, add)
}
