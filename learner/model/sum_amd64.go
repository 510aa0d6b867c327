package model

import (
	"sync/atomic"

	"golang.org/x/sys/cpu"

	"github.com/hone-ml/hone/vector"
)

var hasAVX2 = cpu.X86.HasAVX2

// sumTermsAVX2 adds the rows of n terms, times their units, to dst, which has a
// number a class. There must be a row and a term at least. It reads rowOf as
// atomic loads do: a word at a time, and each but once.
//
//go:noescape
func sumTermsAVX2(dst *float32, classes int, terms *vector.Term, n int, rowOf *atomic.Int32, rows int, pages *[]float32, shift uint)

// sumTerms adds the rows of the terms, times their units, to dst.
func (l *weightsView) sumTerms(terms []vector.Term, dst []float32) {
	if !hasAVX2 {
		l.sumTermsGo(terms, dst)
		return
	}
	if len(terms) > 0 && l.rows > 0 {
		sumTermsAVX2(&dst[0], l.classes, &terms[0], len(terms), &l.rowOf[0], int(l.rows), &l.pages[0], l.shift)
	}
}
