//go:build !amd64

package model

import (
	"github.com/hone-ml/hone/vector"
)

// sumTerms adds the rows of the terms, times their units, to dst.
func (l *weightsView) sumTerms(terms []vector.Term, dst []float32) { l.sumTermsGo(terms, dst) }
