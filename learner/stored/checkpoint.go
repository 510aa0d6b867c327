package stored

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

const checkpointMagic = "hone duals 2\n"

// Checkpoint holds the dual variables of the heads, two bytes each. It only saves time:
// the optimum does not depend on the duals from which the ascent starts.
//
//	magic, then for each head: the key and the encoder's name, the number of examples, and
//	for each example, in the order of task ids: the difference to the id before, the
//	number of duals, the duals
type Checkpoint struct {
	heads map[string]map[event.TaskID][]float32
}

// Head is what a checkpoint holds of a head: its spec's key, and its model.
type Head struct {
	Key   string
	Model head.Incremental
}

// Duals returns the duals of the head with a key and an encoder by task, nil when the checkpoint has
// none of it.
func (c Checkpoint) Duals(key, encoder string) map[event.TaskID][]float32 {
	return c.heads[key+"\x00"+encoder]
}

// CheckpointBytes returns the size that a checkpoint of some heads would have at most.
func CheckpointBytes(heads []Head) int {
	n := len(checkpointMagic)
	for _, h := range heads {
		n += 64 + len(h.Key) + 6*h.Model.Len() + 2*h.Model.DualNumbers()
	}
	return n
}

// WriteCheckpoint returns the checkpoint of heads whose examples are by an encoder.
func WriteCheckpoint(heads []Head, encoder string) []byte {
	out := append(make([]byte, 0, CheckpointBytes(heads)), checkpointMagic...)
	type dual struct {
		id int64
		p  []float32
	}
	for _, h := range heads {
		key := h.Key + "\x00" + encoder
		out = binary.AppendUvarint(out, uint64(len(key)))
		out = append(out, key...)
		duals := make([]dual, 0, h.Model.Len())
		h.Model.Duals(func(e model.Example, p []float32) bool {
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
	}
	return out
}

var errCheckpoint = errors.New("the checkpoint is damaged or of another hone")

// ReadCheckpoint reads what WriteCheckpoint wrote. No bytes are an empty checkpoint. The error is that of
// damaged bytes, of which nothing is used.
func ReadCheckpoint(b []byte) (Checkpoint, error) {
	c := Checkpoint{heads: map[string]map[event.TaskID][]float32{}}
	if len(b) == 0 {
		return c, nil
	}
	if !bytes.HasPrefix(b, []byte(checkpointMagic)) {
		return c, errCheckpoint
	}
	r := byteReader{b: b[len(checkpointMagic):]}
	for len(r.b) > 0 {
		key := string(r.take(int(r.uvarint())))
		n := int(r.uvarint())
		if r.failed || n < 0 || n > len(r.b) {
			return Checkpoint{}, fmt.Errorf("%w: head %q", errCheckpoint, key)
		}
		duals := make(map[event.TaskID][]float32, n)
		id := int64(0)
		for range n {
			id += r.varint()
			raw := r.take(2 * int(r.uvarint()))
			if r.failed {
				return Checkpoint{}, fmt.Errorf("%w: it ends early", errCheckpoint)
			}
			p := make([]float32, len(raw)/2)
			for y := range p {
				p[y] = float32(binary.LittleEndian.Uint16(raw[2*y:])) / math.MaxUint16
			}
			duals[event.TaskID(id)] = p
		}
		c.heads[key] = duals
	}
	return c, nil
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
