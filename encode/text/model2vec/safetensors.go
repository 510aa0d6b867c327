package model2vec

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// tensor is one tensor of a safetensors file. Such a file holds the length of its header in
// 8 bytes, the header as JSON, and the numbers, little-endian.
type tensor struct {
	dtype string
	shape []int
	data  []byte
}

// bytesPerNumber is the size of a number of each type.
var bytesPerNumber = map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I8": 1, "I32": 4, "I64": 8}

// parseTensors reads the header. The tensors share the file's memory; those of
// unknown types are left out.
func parseTensors(file []byte) (map[string]tensor, error) {
	if len(file) < 8 {
		return nil, errors.New("it is too short")
	}
	n := binary.LittleEndian.Uint64(file)
	if n > uint64(len(file)-8) {
		return nil, fmt.Errorf("its header of %d bytes is longer than the file", n)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+n], &header); err != nil {
		return nil, fmt.Errorf("its header is not JSON: %w", err)
	}
	body := file[8+n:]
	out := map[string]tensor{}
	for name, raw := range header {
		if name == "__metadata__" {
			continue
		}
		var h struct {
			Dtype   string    `json:"dtype"`
			Shape   []int     `json:"shape"`
			Offsets [2]uint64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &h); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		width, known := bytesPerNumber[h.Dtype]
		if !known {
			if name == "embeddings" || name == "weights" || name == "mapping" {
				return nil, fmt.Errorf("tensor %q has numbers of the type %s, which is not supported", name, h.Dtype)
			}
			continue
		}
		from, to := h.Offsets[0], h.Offsets[1]
		if from > to || to > uint64(len(body)) {
			return nil, fmt.Errorf("tensor %q lies at %d to %d of %d bytes", name, from, to, len(body))
		}
		// The product must not overflow: each factor is compared with what is there.
		left := (to - from) / uint64(width)
		size := uint64(1)
		for _, d := range h.Shape {
			if d < 0 || size != 0 && uint64(d) > left/size {
				return nil, fmt.Errorf("tensor %q of the shape %v is larger than its %d bytes", name, h.Shape, to-from)
			}
			size *= uint64(d)
		}
		if size*uint64(width) != to-from {
			return nil, fmt.Errorf("tensor %q of the shape %v has %d bytes", name, h.Shape, to-from)
		}
		out[name] = tensor{h.Dtype, h.Shape, body[from:to]}
	}
	return out, nil
}

// numberAt returns number i of the tensor. NaN and infinities are errors.
func (t *tensor) numberAt(i int) (float64, error) {
	var v float64
	switch t.dtype {
	case "F32":
		v = float64(math.Float32frombits(binary.LittleEndian.Uint32(t.data[4*i:])))
	case "F64":
		v = math.Float64frombits(binary.LittleEndian.Uint64(t.data[8*i:]))
	case "F16":
		v = fromFloat16(binary.LittleEndian.Uint16(t.data[2*i:]))
	case "BF16":
		v = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.data[2*i:])) << 16))
	case "I8":
		v = float64(int8(t.data[i]))
	default:
		return 0, fmt.Errorf("numbers of the type %s are no vectors", t.dtype)
	}
	// Sums of them must stay finite.
	if !(math.Abs(v) <= math.MaxFloat32) {
		return 0, fmt.Errorf("number %d is %v", i, v)
	}
	return v, nil
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

// rowIndices returns the first n numbers as indices of rows. One that is not below limit is
// an error.
func (t *tensor) rowIndices(n, limit int) ([]int32, error) {
	if len(t.shape) != 1 || t.shape[0] < n {
		return nil, fmt.Errorf("it has the shape %v for %d tokens", t.shape, n)
	}
	out := make([]int32, n)
	for i := range out {
		var v int64
		switch t.dtype {
		case "I32":
			v = int64(int32(binary.LittleEndian.Uint32(t.data[4*i:])))
		case "I64":
			v = int64(binary.LittleEndian.Uint64(t.data[8*i:]))
		default:
			return nil, fmt.Errorf("it has numbers of the type %s", t.dtype)
		}
		if v < 0 || v >= int64(limit) || v > math.MaxInt32 {
			return nil, fmt.Errorf("token %d has the row %d of %d", i, v, limit)
		}
		out[i] = int32(v)
	}
	return out, nil
}
