package lowrank

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// MaxRank is the largest rank of an Adapter.
const MaxRank = 16

// Adapter is what fine-tuning adds to the matrices of the last layers, each a product of two
// matrices of low rank. Its numbers are float16. It is immutable and safe for concurrent use.
type Adapter struct {
	base    Base
	rank    int
	weights []uint16
}

// NewAdapter makes an adapter of weights, which it rounds to float16. They are, for each
// adapted layer and each of its matrices in order, a matrix A of rank by inputs and a
// matrix B of rank by outputs, row-major. The layer's matrix, outputs by inputs, becomes
// W + transpose(B) A. The errors are a rank outside of 1 to MaxRank, another number of
// weights than AdapterSize says, weights beyond what float16 holds, and a name that is too
// long.
func NewAdapter(base Base, rank int, weights []float32) (*Adapter, error) {
	if rank < 1 || rank > MaxRank {
		return nil, fmt.Errorf("adapter of rank %d, want 1 to %d", rank, MaxRank)
	}
	if len(base.Name) > nameSize {
		return nil, fmt.Errorf("adapter for %q: the name has more than %d bytes", base.Name, nameSize)
	}
	if len(weights) != base.AdapterSize(rank) {
		return nil, fmt.Errorf("adapter of rank %d has %d weights, want %d", rank, len(weights), base.AdapterSize(rank))
	}
	a := &Adapter{base, rank, make([]uint16, len(weights))}
	for i, w := range weights {
		if !(math.Abs(float64(w)) <= maxFloat16) {
			return nil, fmt.Errorf("adapter: weight %d is %v", i, w)
		}
		a.weights[i] = toFloat16(w)
	}
	return a, nil
}

// Rank returns the adapter's rank.
func (a *Adapter) Rank() int { return a.rank }

// Factors returns what is added to a matrix of an adapted layer, of which the first is 0: A of
// rank by inputs and B of rank by outputs, in new memory.
func (a *Adapter) Factors(layer, matrix int) (down, up []float32) {
	one := a.base
	one.Layers = 1
	rest := a.weights[layer*one.AdapterSize(a.rank):]
	for m := range matrix {
		in, out := a.base.MatrixSize(m)
		rest = rest[a.rank*(in+out):]
	}
	in, out := a.base.MatrixSize(matrix)
	return fromFloats16(rest[:a.rank*in]), fromFloats16(rest[a.rank*in:][:a.rank*out])
}

func fromFloats16(halves []uint16) []float32 {
	out := make([]float32, len(halves))
	for i, h := range halves {
		out[i] = fromFloat16(h)
	}
	return out
}

// The byte form of an adapter, little-endian:
//
//	 8 bytes  magic "honelora"
//	uint32    version, 2
//	uint32    rank
//	uint32    number of layers that it changes
//	uint32    hidden size
//	uint32    inner size, of the feed-forward layer
//	32 bytes  name of the encoder it was trained for, then zeros
//	float16   the weights, as NewAdapter takes them
//	32 bytes  SHA-256 of all before
const (
	magic       = "honelora"
	formVersion = 2
	nameSize    = 32
	fieldSize   = 4
	nameAt      = len(magic) + 5*fieldSize
	headerSize  = nameAt + nameSize
)

// MarshalBinary returns the byte form of the adapter, about 0.3 MB at rank 8 for three layers of
// 384 numbers. The error is always nil.
func (a *Adapter) MarshalBinary() ([]byte, error) {
	data := make([]byte, 0, headerSize+2*len(a.weights)+sha256.Size)
	data = append(data, magic...)
	for _, v := range []int{formVersion, a.rank, a.base.Layers, a.base.Hidden, a.base.Inner} {
		data = binary.LittleEndian.AppendUint32(data, uint32(v)) //nolint:gosec // sizes of networks fit
	}
	data = append(data, a.base.Name...)
	data = append(data, make([]byte, headerSize-len(data))...)
	for _, w := range a.weights {
		data = binary.LittleEndian.AppendUint16(data, w)
	}
	sum := sha256.Sum256(data)
	return append(data, sum[:]...), nil
}

// ParseAdapter reads the byte form of an adapter for an encoder. It keeps nothing of data. The
// errors are another magic, version, encoder, shape, length or checksum, and numbers that are
// not finite.
func ParseAdapter(data []byte, base Base) (*Adapter, error) {
	if len(data) < headerSize || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("not an adapter: it does not begin with %q", magic)
	}
	field := func(i int) int64 { return int64(binary.LittleEndian.Uint32(data[len(magic)+fieldSize*i:])) }
	if v := field(0); v != formVersion {
		return nil, fmt.Errorf("adapter has version %d, this program reads %d", v, formVersion)
	}
	rank := int(field(1))
	if rank < 1 || rank > MaxRank {
		return nil, fmt.Errorf("adapter of rank %d, want 1 to %d", rank, MaxRank)
	}
	if name := strings.TrimRight(string(data[nameAt:headerSize]), "\x00"); name != base.Name {
		return nil, fmt.Errorf("adapter is for the encoder %q, not for %q", name, base.Name)
	}
	if field(2) != int64(base.Layers) || field(3) != int64(base.Hidden) || field(4) != int64(base.Inner) {
		return nil, fmt.Errorf("adapter is for %d layers of %d and %d numbers, not for %d of %d and %d", field(2), field(3), field(4), base.Layers, base.Hidden, base.Inner)
	}
	end := headerSize + 2*base.AdapterSize(rank)
	if len(data) != end+sha256.Size {
		return nil, fmt.Errorf("adapter has %d bytes, its header wants %d", len(data), end+sha256.Size)
	}
	if sum := sha256.Sum256(data[:end]); !slices.Equal(data[end:], sum[:]) {
		return nil, errors.New("adapter has another checksum than it says")
	}
	a := &Adapter{base, rank, make([]uint16, base.AdapterSize(rank))}
	for i := range a.weights {
		a.weights[i] = binary.LittleEndian.Uint16(data[headerSize+2*i:])
		if a.weights[i]&0x7c00 == 0x7c00 {
			return nil, fmt.Errorf("adapter: weight %d is not finite", i)
		}
	}
	return a, nil
}

// Hash identifies the adapter: 16 hexadecimal digits of the SHA-256 of its byte form.
func (a *Adapter) Hash() string {
	data, _ := a.MarshalBinary()
	return hex.EncodeToString(data[len(data)-sha256.Size:][:8])
}
