package minilm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
)

// AdaptedLayers is how many layers an Adapter changes: the last ones.
const AdaptedLayers = 3

// MaxAdapterRank is the largest rank of an Adapter.
const MaxAdapterRank = 16

// The matrices of a layer, in the order in which LayerWeights and Adapter hold them.
const (
	Query = iota
	Key
	Value
	AttentionOutput
	Intermediate
	Output
	MatrixCount
)

// MatrixSize returns the numbers of inputs and outputs of a matrix of a layer: Query to
// Output.
func MatrixSize(matrix int) (in, out int) {
	switch matrix {
	case Intermediate:
		return hiddenSize, feedForwardSize
	case Output:
		return feedForwardSize, hiddenSize
	}
	return hiddenSize, hiddenSize
}

// AdapterSize returns how many numbers an Adapter of a rank has.
func AdapterSize(rank int) int {
	n := 0
	for m := range MatrixCount {
		in, out := MatrixSize(m)
		n += rank * (in + out)
	}
	return AdaptedLayers * n
}

// Adapter is what fine-tuning adds to the matrices of the last AdaptedLayers layers, each
// a product of two matrices of low rank (Hu et al. 2021, "LoRA: Low-Rank Adaptation of
// Large Language Models"). Its numbers are float16. It is immutable and safe for
// concurrent use.
type Adapter struct {
	rank    int
	weights []uint16
}

// NewAdapter makes an adapter of weights, which it rounds to float16. They are, for each
// adapted layer and each of its matrices in order, a matrix A of rank by inputs and a
// matrix B of rank by outputs, row-major. The layer's matrix, outputs by inputs, becomes
// W + transpose(B) A. The errors are a rank outside of 1 to MaxAdapterRank, another
// number of weights than AdapterSize says, and weights beyond what float16 holds.
func NewAdapter(rank int, weights []float32) (*Adapter, error) {
	if rank < 1 || rank > MaxAdapterRank {
		return nil, fmt.Errorf("adapter of rank %d, want 1 to %d", rank, MaxAdapterRank)
	}
	if len(weights) != AdapterSize(rank) {
		return nil, fmt.Errorf("adapter of rank %d has %d weights, want %d", rank, len(weights), AdapterSize(rank))
	}
	a := &Adapter{rank, make([]uint16, len(weights))}
	for i, w := range weights {
		if !(math.Abs(float64(w)) <= maxFloat16) {
			return nil, fmt.Errorf("adapter: weight %d is %v", i, w)
		}
		a.weights[i] = toFloat16(w)
	}
	return a, nil
}

// The byte form of an adapter, little-endian:
//
//	 8 bytes  magic "honelora"
//	uint32    version, 1
//	uint32    rank
//	16 bytes  name of the encoder it was trained for, then zeros
//	float16   the weights, as NewAdapter takes them
//	32 bytes  SHA-256 of all before
const (
	adapterMagic    = "honelora"
	adapterVersion  = 1
	adapterBaseSize = 16
	adapterHeader   = len(adapterMagic) + 8 + adapterBaseSize
)

// MarshalBinary returns the byte form of the adapter, about 0.3 MB at rank 8. The error is
// always nil.
func (a *Adapter) MarshalBinary() ([]byte, error) {
	data := make([]byte, 0, adapterHeader+2*len(a.weights)+sha256.Size)
	data = append(data, adapterMagic...)
	data = binary.LittleEndian.AppendUint32(data, adapterVersion)
	data = binary.LittleEndian.AppendUint32(data, uint32(a.rank)) //nolint:gosec // at most MaxAdapterRank
	var base [adapterBaseSize]byte
	copy(base[:], baseName)
	data = append(data, base[:]...)
	for _, w := range a.weights {
		data = binary.LittleEndian.AppendUint16(data, w)
	}
	sum := sha256.Sum256(data)
	return append(data, sum[:]...), nil
}

// ParseAdapter reads the byte form of an adapter. It keeps nothing of data. The errors are
// another magic, version, encoder, length or checksum, and numbers that are not finite.
func ParseAdapter(data []byte) (*Adapter, error) {
	if len(data) < adapterHeader || string(data[:len(adapterMagic)]) != adapterMagic {
		return nil, fmt.Errorf("not an adapter: it does not begin with %q", adapterMagic)
	}
	fields := data[len(adapterMagic):]
	if v := binary.LittleEndian.Uint32(fields); v != adapterVersion {
		return nil, fmt.Errorf("adapter has version %d, this program reads %d", v, adapterVersion)
	}
	rank := binary.LittleEndian.Uint32(fields[4:])
	if rank < 1 || rank > MaxAdapterRank {
		return nil, fmt.Errorf("adapter of rank %d, want 1 to %d", rank, MaxAdapterRank)
	}
	var base [adapterBaseSize]byte
	copy(base[:], baseName)
	if !slices.Equal(fields[8:][:adapterBaseSize], base[:]) {
		return nil, fmt.Errorf("adapter is for another encoder than %s", baseName)
	}
	end := adapterHeader + 2*AdapterSize(int(rank))
	if len(data) != end+sha256.Size {
		return nil, fmt.Errorf("adapter has %d bytes, its header wants %d", len(data), end+sha256.Size)
	}
	if sum := sha256.Sum256(data[:end]); !slices.Equal(data[end:], sum[:]) {
		return nil, fmt.Errorf("adapter has another checksum than it says")
	}
	a := &Adapter{int(rank), make([]uint16, AdapterSize(int(rank)))}
	for i := range a.weights {
		a.weights[i] = binary.LittleEndian.Uint16(data[adapterHeader+2*i:])
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
