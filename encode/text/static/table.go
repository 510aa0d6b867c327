package static

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

const (
	fileMagic     = "honevec\n"
	fileVersion   = 1
	headerSize    = 32
	fileAlignment = 64

	maxPieces = 1 << 18
	maxDim    = 4096
)

// vectorTable is a parsed file of vectors. rows is a part of the file's bytes.
type vectorTable struct {
	note   string
	pieces []string
	dim    int
	scales []float32 // 0 for a piece that has no vector
	rows   []byte    // len(pieces) * dim, two's complement
}

// parseTable reads the format that tools/distill/table.py describes.
func parseTable(data []byte) (*vectorTable, error) {
	if len(data) < headerSize || string(data[:len(fileMagic)]) != fileMagic {
		return nil, fmt.Errorf("not a table of static vectors: it does not begin with %q", fileMagic)
	}
	field := func(i int) int { // what doesn't fit an int is too large anyway
		return int(min(binary.LittleEndian.Uint32(data[len(fileMagic)+4*i:]), math.MaxInt32))
	}
	if v := field(0); v != fileVersion {
		return nil, fmt.Errorf("table of static vectors has version %d, this program reads %d", v, fileVersion)
	}
	n, dim, note, vocabulary := field(1), field(2), field(3), field(4)
	if note > len(data) || vocabulary > len(data) || n < 1 || n > maxPieces || dim < 8 || dim > maxDim || dim%8 != 0 {
		return nil, fmt.Errorf("table of static vectors claims %d pieces of %d dimensions, %d bytes of note and %d of vocabulary", n, dim, note, vocabulary)
	}
	scalesAt := alignUp(headerSize + note + vocabulary)
	rowsAt := alignUp(scalesAt + 4*n)
	if want := rowsAt + n*dim; len(data) != want {
		return nil, fmt.Errorf("table of static vectors has %d bytes, its header wants %d", len(data), want)
	}
	t := &vectorTable{
		note:   string(data[headerSize : headerSize+note]),
		pieces: make([]string, 0, n),
		dim:    dim,
		scales: make([]float32, n),
		rows:   data[rowsAt:],
	}
	text := string(data[headerSize+note : headerSize+note+vocabulary]) // one copy; the pieces are parts of it
	for range n {
		if text == "" || len(text) <= int(text[0]) {
			return nil, fmt.Errorf("table of static vectors: the vocabulary ends after %d of %d pieces", len(t.pieces), n)
		}
		size := int(text[0])
		t.pieces = append(t.pieces, text[1:1+size])
		text = text[1+size:]
	}
	if text != "" {
		return nil, fmt.Errorf("table of static vectors: %d bytes after the vocabulary", len(text))
	}
	for i := range t.scales {
		s := math.Float32frombits(binary.LittleEndian.Uint32(data[scalesAt+4*i:]))
		if !(s >= 0) || math.IsInf(float64(s), 0) {
			return nil, fmt.Errorf("table of static vectors: piece %d, %q, has the scale %v", i, t.pieces[i], s)
		}
		t.scales[i] = s
	}
	return t, nil
}

func alignUp(n int) int { return (n + fileAlignment - 1) / fileAlignment * fileAlignment }

// row is the vector of a piece as it is stored.
func (t *vectorTable) row(id int32) []byte { return t.rows[int(id)*t.dim:][:t.dim:t.dim] }

// newEncoder makes an encoder of a table's bytes, which it keeps, and of the mean's bytes:
// one float32 for each dimension of the table, little-endian. An empty mean is zero.
func newEncoder(data, mean []byte) (*Encoder, error) {
	t, err := parseTable(data)
	if err != nil {
		return nil, err
	}
	tokens, err := wordpiece.New(t.pieces)
	if err != nil {
		return nil, fmt.Errorf("table of static vectors: %w", err)
	}
	e := &Encoder{table: t, tokens: tokens, factors: fixedPointFactors(t), mean: make([]float64, t.dim)}
	if len(mean) != 0 && len(mean) != 4*t.dim {
		return nil, fmt.Errorf("mean of static vectors has %d bytes, the table wants %d", len(mean), 4*t.dim)
	}
	for i := range len(mean) / 4 {
		m := float64(math.Float32frombits(binary.LittleEndian.Uint32(mean[4*i:])))
		if !(math.Abs(m) <= 1) {
			return nil, fmt.Errorf("mean of static vectors: number %d is %v", i, m)
		}
		e.mean[i] = m
	}
	e.pool.New = func() any {
		return &scratch{sums: make([]uint64, t.dim/2), total: make([]int64, t.dim), centred: make([]float64, t.dim)}
	}
	return e, nil
}

// fixedPointFactors are the scales as fractions of the largest in 16 bits; 0 for pieces
// without a vector. The rows stay untouched, and so on disk until they are used.
func fixedPointFactors(t *vectorTable) []uint32 {
	largest := float64(slices.Max(t.scales))
	f := make([]uint32, len(t.scales))
	for i, s := range t.scales {
		if s > 0 {
			f[i] = max(1, uint32(math.Round(float64(s)/largest*maxFactor)))
		}
	}
	return f
}
