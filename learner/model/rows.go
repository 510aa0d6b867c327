package model

import (
	"github.com/hone-ml/hone/vector"
)

// A text has hundreds of terms, and with few classes a row is so short that a call of axpy
// costs more than the addition. The functions of this file add many rows in one call, four
// classes without a loop. Their sums equal those of axpy to the bit.

// sumTermsGo is sumTerms without assembly.
func (l *weightsView) sumTermsGo(terms []vector.Term, dst []float32) {
	mask := int32(1)<<l.shift - 1
	switch {
	case l.classes == 3: // tags of tokens
		d := (*[3]float32)(dst)
		d0, d1, d2 := d[0], d[1], d[2]
		for _, t := range terms {
			row := l.rowOf[t.Bucket()].Load() - 1
			if uint32(row) >= uint32(l.rows) {
				continue
			}
			at, u := int(row&mask)*3, t.Units()
			w := (*[3]float32)(l.pages[row>>l.shift][at : at+3])
			d0 += float32(u * w[0])
			d1 += float32(u * w[1])
			d2 += float32(u * w[2])
		}
		d[0], d[1], d[2] = d0, d1, d2
	case l.classes == 4:
		d := (*[4]float32)(dst)
		d0, d1, d2, d3 := d[0], d[1], d[2], d[3]
		for _, t := range terms {
			row := l.rowOf[t.Bucket()].Load() - 1
			if uint32(row) >= uint32(l.rows) {
				continue
			}
			at, u := int(row&mask)*4, t.Units()
			w := (*[4]float32)(l.pages[row>>l.shift][at : at+4])
			d0 += float32(u * w[0])
			d1 += float32(u * w[1])
			d2 += float32(u * w[2])
			d3 += float32(u * w[3])
		}
		d[0], d[1], d[2], d[3] = d0, d1, d2, d3
	case l.classes < leastAVX:
		for _, t := range terms {
			row := l.rowOf[t.Bucket()].Load() - 1
			if uint32(row) < uint32(l.rows) {
				at := int(row&mask) * l.classes
				axpyGo(t.Units(), l.pages[row>>l.shift][at:at+l.classes], dst)
			}
		}
	default:
		for _, t := range terms {
			row := l.rowOf[t.Bucket()].Load() - 1
			if uint32(row) < uint32(l.rows) {
				at := int(row&mask) * l.classes
				axpy(t.Units(), l.pages[row>>l.shift][at:at+l.classes], dst)
			}
		}
	}
}

// addTerms adds delta, times scale and the units of each term, to the terms' rows.
func (w *weights) addTerms(terms []vector.Term, scale float32, delta []float32) {
	switch {
	case w.classes == 4:
		d := (*[4]float32)(delta)
		d0, d1, d2, d3 := d[0], d[1], d[2], d[3]
		for _, t := range terms {
			row := (*[4]float32)(w.writable(int(w.rowOf[t.Bucket()].Load()) - 1))
			a := scale * t.Units()
			row[0] += float32(a * d0)
			row[1] += float32(a * d1)
			row[2] += float32(a * d2)
			row[3] += float32(a * d3)
		}
	case w.classes < leastAVX:
		for _, t := range terms {
			axpyGo(scale*t.Units(), delta, w.writable(int(w.rowOf[t.Bucket()].Load())-1))
		}
	default:
		for _, t := range terms {
			axpy(scale*t.Units(), delta, w.writable(int(w.rowOf[t.Bucket()].Load())-1))
		}
	}
}

// addRows adds the rows of a dense part, one a number of x, times the number, to
// dst. Rows beyond the part's end are zero.
func addRows(x, rows, dst []float32) {
	n := len(dst)
	x = x[:min(len(x), len(rows)/n)]
	switch {
	case n == 3:
		d := (*[3]float32)(dst)
		d0, d1, d2 := d[0], d[1], d[2]
		for j, v := range x {
			r := (*[3]float32)(rows[3*j : 3*j+3])
			d0 += float32(v * r[0])
			d1 += float32(v * r[1])
			d2 += float32(v * r[2])
		}
		d[0], d[1], d[2] = d0, d1, d2
	case n == 4:
		d := (*[4]float32)(dst)
		d0, d1, d2, d3 := d[0], d[1], d[2], d[3]
		for j, v := range x {
			r := (*[4]float32)(rows[4*j : 4*j+4])
			d0 += float32(v * r[0])
			d1 += float32(v * r[1])
			d2 += float32(v * r[2])
			d3 += float32(v * r[3])
		}
		d[0], d[1], d[2], d[3] = d0, d1, d2, d3
	case n < leastAVX:
		for j, v := range x {
			axpyGo(v, rows[j*n:(j+1)*n], dst)
		}
	default:
		for j, v := range x {
			axpy(v, rows[j*n:(j+1)*n], dst)
		}
	}
}

// addToRows adds delta, times weight and each number of x, to the rows of a dense
// part.
func addToRows(weight float32, x, delta, rows []float32) {
	n := len(delta)
	switch {
	case n == 3:
		d := (*[3]float32)(delta)
		d0, d1, d2 := d[0], d[1], d[2]
		for j, v := range x {
			a, r := weight*v, (*[3]float32)(rows[3*j:3*j+3])
			r[0] += float32(a * d0)
			r[1] += float32(a * d1)
			r[2] += float32(a * d2)
		}
	case n == 4:
		d := (*[4]float32)(delta)
		d0, d1, d2, d3 := d[0], d[1], d[2], d[3]
		for j, v := range x {
			a, r := weight*v, (*[4]float32)(rows[4*j:4*j+4])
			r[0] += float32(a * d0)
			r[1] += float32(a * d1)
			r[2] += float32(a * d2)
			r[3] += float32(a * d3)
		}
	case n < leastAVX:
		for j, v := range x {
			axpyGo(weight*v, delta, rows[j*n:(j+1)*n])
		}
	default:
		for j, v := range x {
			axpy(weight*v, delta, rows[j*n:(j+1)*n])
		}
	}
}
