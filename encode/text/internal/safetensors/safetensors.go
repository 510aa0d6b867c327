// Package safetensors reads the files in which Hugging Face saves the weights of a model: the
// length of a header in 8 bytes, the header as JSON, and the numbers, little-endian. The bytes
// are foreign: nothing of a claimed size is allocated before the file is known to have as much.
package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

const (
	lengthBytes = 8
	// maxHeader bounds the header; that of a model of a thousand tensors has 100 kB.
	maxHeader = 64 << 20
	// metadataName is the entry of the header that is no tensor.
	metadataName = "__metadata__"
)

// Tensor is one tensor of a file. Its shape and its place have been compared with the file.
type Tensor struct {
	Type     string
	Shape    []int
	From, To int64 // its place in the file
	// Data are its bytes: those of Parse and Read have them.
	Data []byte
}

// numberWidth is the size of a number of each type in bytes.
var numberWidth = map[string]int64{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I8": 1, "I32": 4, "I64": 8}

// Parse returns the tensors of a file by their names. They share its memory.
func Parse(file []byte) (map[string]Tensor, error) {
	all, err := ReadHeader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	for name, t := range all {
		t.Data = file[t.From:t.To]
		all[name] = t
	}
	return all, nil
}

// ReadHeader returns the tensors of a file by their names, without their bytes.
func ReadHeader(r io.ReaderAt, size int64) (map[string]Tensor, error) {
	if size < lengthBytes {
		return nil, errors.New("it is too short")
	}
	var length [lengthBytes]byte
	if _, err := r.ReadAt(length[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > uint64(size-lengthBytes) {
		return nil, fmt.Errorf("its header of %d bytes is longer than the file", n)
	}
	if n > maxHeader {
		return nil, fmt.Errorf("its header has %d bytes; %d are read", n, maxHeader)
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, lengthBytes); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(text, &header); err != nil {
		return nil, fmt.Errorf("its header is not JSON: %w", err)
	}
	out := make(map[string]Tensor, len(header))
	for name, raw := range header {
		if name == metadataName {
			continue
		}
		t, err := parseEntry(raw, size-lengthBytes-int64(n))
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		t.From += lengthBytes + int64(n)
		t.To += lengthBytes + int64(n)
		out[name] = t
	}
	return out, refuseOverlap(out)
}

// refuseOverlap returns an error if tensors share bytes, as those of no honest file do: they
// would make much of little.
func refuseOverlap(all map[string]Tensor) error {
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(all[a].From, all[b].From), cmp.Compare(all[a].To, all[b].To), cmp.Compare(a, b))
	})
	for i := 1; i < len(names); i++ {
		before, name := names[i-1], names[i]
		if all[name].From < all[before].To {
			return fmt.Errorf("tensors %q and %q share bytes", before, name)
		}
	}
	return nil
}

// parseEntry reads one entry of a header. Its place is in the bytes behind the header, of
// which there are so many.
func parseEntry(raw []byte, behind int64) (Tensor, error) {
	var h struct {
		Type    string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return Tensor{}, err
	}
	from, to := h.Offsets[0], h.Offsets[1]
	if from < 0 || from > to || to > behind {
		return Tensor{}, fmt.Errorf("it lies at %d to %d of %d bytes", from, to, behind)
	}
	t := Tensor{Type: h.Type, Shape: h.Shape, From: from, To: to}
	width, known := numberWidth[h.Type]
	if !known {
		return t, nil // whoever reads its numbers is told
	}
	// The product must not overflow: each factor is compared with what is there.
	left, size := (to-from)/width, int64(1)
	for _, d := range h.Shape {
		if d < 0 || size != 0 && int64(d) > left/size {
			return Tensor{}, fmt.Errorf("the shape %v is larger than its %d bytes", h.Shape, to-from)
		}
		size *= int64(d)
	}
	if size*width != to-from {
		return Tensor{}, fmt.Errorf("the shape %v has %d bytes", h.Shape, to-from)
	}
	return t, nil
}

// Read returns the tensor with its bytes.
func (t Tensor) Read(r io.ReaderAt) (Tensor, error) {
	t.Data = make([]byte, t.To-t.From)
	if _, err := r.ReadAt(t.Data, t.From); err != nil && !errors.Is(err, io.EOF) {
		return Tensor{}, err
	}
	return t, nil
}

// Numbers returns how many numbers Data holds, 0 for those of an unknown type.
func (t *Tensor) Numbers() int {
	width, known := numberWidth[t.Type]
	if !known {
		return 0
	}
	return int(int64(len(t.Data)) / width)
}

// Number returns number i. NaN and infinities are errors.
func (t *Tensor) Number(i int) (float64, error) {
	var v float64
	switch t.Type {
	case "F32":
		v = float64(math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:])))
	case "F64":
		v = math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:]))
	case "F16":
		v = fromFloat16(binary.LittleEndian.Uint16(t.Data[2*i:]))
	case "BF16":
		v = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16))
	case "I8":
		v = float64(int8(t.Data[i]))
	default:
		return 0, fmt.Errorf("numbers of the type %.20q are not supported", t.Type)
	}
	// Sums of them must stay finite.
	if !(math.Abs(v) <= math.MaxFloat32) {
		return 0, fmt.Errorf("number %d is %v", i, v)
	}
	return v, nil
}

// AppendFloats appends the numbers to dst. The errors are those of Number.
func (t *Tensor) AppendFloats(dst []float32) ([]float32, error) {
	if _, known := numberWidth[t.Type]; !known {
		_, err := t.Number(0)
		return dst, err
	}
	for i := range t.Numbers() {
		v, err := t.Number(i)
		if err != nil {
			return dst, err
		}
		dst = append(dst, float32(v))
	}
	return dst, nil
}

// fromFloat16 converts an IEEE 754 number of 16 bits.
func fromFloat16(b uint16) float64 {
	sign, exponent, fraction := 1.0, int(b>>10&31), float64(b&1023)
	if b>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		return math.NaN() // or infinite; both are refused
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}
