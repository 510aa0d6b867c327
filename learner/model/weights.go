package model

import (
	"slices"
	"sync/atomic"

	"github.com/hone-ml/hone/vector"
)

// pageFloats is about how many weights a page has. Publishing after one
// annotation copies the pages of its features: small pages copy less, large
// ones keep the page table short.
const pageFloats = 1024

// weights are the rows of hashed features that some example has, a class each
// column, in pages that are shared with published views until written again.
// A feature of no example has no row: its weights are exactly zero.
type weights struct {
	classes int
	shift   uint // a page has 1<<shift rows
	// rowOf maps a bucket to its row + 1. Entries are only ever set from 0, so
	// views share it without a lock: a view ignores rows younger than itself.
	rowOf     []atomic.Int32
	pages     [][]float32
	owned     []bool  // pages no view shares
	refs      []int32 // examples that have the row's feature
	rows      int
	emptyRows int // rows without examples

	// dense are the weights of the dense parts, dimension by class, times the root
	// of the part's kernel weight, and bias are those of the bias times its value:
	// so that a scaled prior can be added as it is.
	dense      [][]float32
	bias       []float32
	prior      scaledPrior // what they are without examples
	denseOwned bool

	buffer vector.Buffer // of the vector that was expanded last
}

func newWeights(classes int, g scaledPrior) *weights {
	w := &weights{
		classes: classes, rowOf: make([]atomic.Int32, vector.Buckets),
		prior: g, dense: g.dense, bias: g.bias,
	}
	for classes<<(w.shift+1) <= pageFloats {
		w.shift++
	}
	return w
}

// expand returns v with its terms and parts, which are valid until the next call.
func (w *weights) expand(v vector.Vector) vector.Vector { return v.Expand(&w.buffer) }

// retain gives every feature of v a row and counts the example.
func (w *weights) retain(v vector.Vector) {
	v = w.expand(v)
	for _, t := range v.Terms {
		row := int(w.rowOf[t.Bucket()].Load()) - 1
		if row < 0 {
			row = w.rows
			w.rows++
			w.refs = append(w.refs, 0)
			if row>>w.shift == len(w.pages) {
				w.pages = append(w.pages, make([]float32, w.classes<<w.shift))
				w.owned = append(w.owned, true)
			}
			w.rowOf[t.Bucket()].Store(int32(row + 1))
		} else if w.refs[row] == 0 {
			w.emptyRows--
		}
		w.refs[row]++
	}
	for part, d := range v.Dense {
		for part >= len(w.dense) {
			w.dense = append(slices.Clone(w.dense), nil)
		}
		if need := len(d) * w.classes; len(w.dense[part]) < need {
			w.ownDense()
			grown := make([]float32, need)
			copy(grown, w.dense[part])
			w.dense[part] = grown
		}
	}
}

// release undoes retain. A row without examples becomes exactly zero: rounding
// must not keep what was forgotten.
func (w *weights) release(v vector.Vector) {
	v = w.expand(v)
	for _, t := range v.Terms {
		row := int(w.rowOf[t.Bucket()].Load()) - 1
		w.refs[row]--
		if w.refs[row] == 0 {
			w.emptyRows++
			clear(w.writable(row))
		}
	}
}

func (w *weights) writable(row int) []float32 {
	page := row >> w.shift
	if !w.owned[page] {
		w.pages[page] = slices.Clone(w.pages[page])
		w.owned[page] = true
	}
	at := (row & (1<<w.shift - 1)) * w.classes
	return w.pages[page][at : at+w.classes]
}

func (w *weights) ownDense() {
	if w.denseOwned {
		return
	}
	w.bias = slices.Clone(w.bias)
	w.dense = slices.Clone(w.dense)
	for i := range w.dense {
		w.dense[i] = slices.Clone(w.dense[i])
	}
	w.denseOwned = true
}

// addFeatures adds delta times the weighted features of v, which is expanded.
func (w *weights) addFeatures(v vector.Vector, s *Settings, delta []float32) {
	scale := v.Scale * s.part(0)
	w.addTerms(v.Terms, scale, delta)
	w.ownDense()
	axpy(float32(s.Bias*s.Bias), delta, w.bias)
	for part, d := range v.Dense {
		if weight := s.weight(part + 1); weight != 0 {
			addToRows(weight, d, delta, w.dense[part])
		}
	}
}

// snapshot returns the weights as they are now; they do not change any more.
func (w *weights) snapshot() weightsView {
	clear(w.owned)
	w.denseOwned = false
	return weightsView{
		classes: w.classes, shift: w.shift, rows: int32(w.rows), rowOf: w.rowOf,
		pages: slices.Clone(w.pages), dense: w.dense, bias: w.bias,
	}
}

// current returns a view that later writes change; only for the writer itself.
func (w *weights) current() weightsView {
	return weightsView{
		classes: w.classes, shift: w.shift, rows: int32(w.rows), rowOf: w.rowOf,
		pages: w.pages, dense: w.dense, bias: w.bias,
	}
}

// reset sets every weight to zero and keeps the rows.
func (w *weights) reset() {
	for i := range w.pages {
		w.pages[i] = make([]float32, len(w.pages[i]))
		w.owned[i] = true
	}
	w.ownDense()
	copy(w.bias, w.prior.bias)
	for part, d := range w.dense {
		n := 0
		if part < len(w.prior.dense) {
			n = copy(d, w.prior.dense[part])
		}
		clear(d[n:])
	}
}

// weightsView computes margins.
type weightsView struct {
	classes int
	shift   uint
	rows    int32
	rowOf   []atomic.Int32
	pages   [][]float32
	dense   [][]float32
	bias    []float32
}

// margins overwrites dst, one number a class. v is expanded.
func (l *weightsView) margins(v vector.Vector, s *Settings, dst []float32) {
	clear(dst)
	l.sumTerms(v.Terms, dst)
	scale := v.Scale * s.part(0)
	for y := range dst {
		dst[y] = dst[y]*scale + l.bias[y]
	}
	for part, d := range v.Dense {
		if part >= len(l.dense) {
			break
		}
		addRows(d, l.dense[part], dst)
	}
}
