package head

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
)

// DualsMagic begins what DecodeDuals reads. Then, for each head: the key, the number of
// examples, and for each example, in the order of task ids: the difference to the id before,
// the number of duals, and the duals in two bytes each.
const DualsMagic = "hone duals 2\n"

// DualsByTask holds the dual variables of a head by task.
type DualsByTask map[event.TaskID][]float32

// AppendDuals appends the dual variables of a model under a key. What it is appended to
// begins with DualsMagic.
func AppendDuals(out []byte, key string, m Incremental) []byte {
	type dual struct {
		id int64
		p  []float32
	}
	out = binary.AppendUvarint(out, uint64(len(key)))
	out = append(out, key...)
	duals := make([]dual, 0, m.Len())
	m.Duals(func(e model.Example, p []float32) bool {
		duals = append(duals, dual{e.ID, slices.Clone(p)}) // the model may reuse the memory
		return true
	})
	slices.SortFunc(duals, func(a, b dual) int { return int(min(max(a.id-b.id, -1), 1)) })
	out = binary.AppendUvarint(out, uint64(len(duals)))
	last := int64(0)
	for _, d := range duals {
		out = binary.AppendVarint(out, d.id-last)
		last = d.id
		out = binary.AppendUvarint(out, uint64(len(d.p)))
		for _, v := range d.p {
			out = binary.LittleEndian.AppendUint16(out, uint16(math.Round(float64(v)*math.MaxUint16)))
		}
	}
	return out
}

// errDuals is the error of bytes that AppendDuals has not made.
var errDuals = errors.New("the checkpoint is damaged or of another hone")

// DecodeDuals returns dual variables by key. Nothing at all has none.
func DecodeDuals(b []byte) (map[string]DualsByTask, error) {
	out := map[string]DualsByTask{}
	if len(b) == 0 {
		return out, nil
	}
	if !bytes.HasPrefix(b, []byte(DualsMagic)) {
		return out, errDuals
	}
	r := byteReader{b: b[len(DualsMagic):]}
	for len(r.b) > 0 {
		key := string(r.take(int(r.uvarint())))
		n := int(r.uvarint())
		if r.failed || n < 0 || n > len(r.b) {
			return nil, fmt.Errorf("%w: head %q", errDuals, key)
		}
		duals := make(DualsByTask, n)
		id := int64(0)
		for range n {
			id += r.varint()
			raw := r.take(2 * int(r.uvarint()))
			if r.failed {
				return nil, fmt.Errorf("%w: it ends early", errDuals)
			}
			p := make([]float32, len(raw)/2)
			for y := range p {
				p[y] = float32(binary.LittleEndian.Uint16(raw[2*y:])) / math.MaxUint16
			}
			duals[event.TaskID(id)] = p
		}
		out[key] = duals
	}
	return out, nil
}

// byteReader reads from the front of b. After the first failed read all others fail.
type byteReader struct {
	b      []byte
	failed bool
}

func (r *byteReader) take(n int) []byte {
	if r.failed || n < 0 || n > len(r.b) {
		r.failed = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *byteReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > math.MaxInt32 {
		r.failed = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *byteReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.b = r.b[n:]
	return v
}
