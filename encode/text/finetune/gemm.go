package finetune

const (
	tileOut = 16  // columns that a block of a product has
	depth   = 384 // inner numbers of a block, so that its columns stay in the nearest cache
)

// gemmGo multiplies rows of a with 16 columns of b and writes them to c, or adds them. k is
// the inner dimension; the rows are lda, ldb and ldc numbers apart.
func gemmGo(rows, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	for r := range rows {
		var sums [tileOut]float32
		out := (*[tileOut]float32)(c[r*ldc:])
		if add {
			sums = *out
		}
		for i, v := range a[r*lda:][:k] {
			for j, w := range (*[tileOut]float32)(b[i*ldb:]) {
				sums[j] += v * w
			}
		}
		*out = sums
	}
}

// blockRows returns how many of the remaining rows to multiply next: 6, 4 or 1, so that few
// are left for the last and slowest.
func blockRows(left int) int {
	switch {
	case left >= 6 && left != 8 && left != 9:
		return 6
	case left >= 4:
		return 4
	}
	return 1
}

// matmul writes a b, m by n numbers, to c, or adds it. a has m rows of k numbers, lda
// apart; b has k rows, ldb apart; n is a multiple of 16.
func matmul(m, k, n int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	for at := 0; at < n; at += tileOut {
		for r := 0; r < m; {
			rows := blockRows(m - r)
			gemmBlock(rows, k, a[r*lda:], lda, b[at:], ldb, c[r*ldc+at:], ldc, add)
			r += rows
		}
	}
}

// packedMatrix holds a matrix of k rows and n columns as tiles of all rows and 16 columns.
type packedMatrix struct {
	k, n  int
	tiles []float32
}

// newPackedMatrix packs the matrix whose number in row i and column j at(i, j) returns. n
// is a multiple of 16.
func newPackedMatrix(k, n int, at func(i, j int) float32) packedMatrix {
	p := packedMatrix{k, n, make([]float32, 0, k*n)}
	for first := 0; first < n; first += tileOut {
		for i := range k {
			for j := range tileOut {
				p.tiles = append(p.tiles, at(i, first+j))
			}
		}
	}
	return p
}

// times writes a p, m rows of p.n numbers, to c, or adds it. The rows of a and c are lda
// and ldc numbers apart.
func (p *packedMatrix) times(m int, a []float32, lda int, c []float32, ldc int, add bool) {
	for from := 0; from < p.k; from += depth {
		k := min(depth, p.k-from)
		for at := 0; at < p.n; at += tileOut {
			tile := p.tiles[at*p.k+from*tileOut:]
			for r := 0; r < m; {
				rows := blockRows(m - r)
				gemmBlock(rows, k, a[r*lda+from:], lda, tile, tileOut, c[r*ldc+at:], ldc, add || from > 0)
				r += rows
			}
		}
	}
}

// transpose writes the columns of a, m rows of n numbers lda apart, as rows to dst, ldd
// numbers apart.
func transpose(dst []float32, ldd int, a []float32, lda, m, n int) {
	for r := range m {
		for i, v := range a[r*lda:][:n] {
			dst[i*ldd+r] = v
		}
	}
}
