//go:build !amd64

package model

import (
	"github.com/hone-ml/hone/vector"
)

// terms adds the rows of the terms, times their units, to dst.
func (l *lookup) terms(terms []vector.Term, dst []float32) { l.termsGo(terms, dst) }
