package labelconfig

import (
	"math"
	"strconv"
	"strings"
)

// Range is which numbers a Number control takes. A nil bound or step is none.
type Range struct{ Min, Max, Step *float64 }

// Width is Max - Min; ok is false when the range has an end only on one side or on
// none.
func (r Range) Width() (width float64, ok bool) {
	if r.Min == nil || r.Max == nil {
		return 0, false
	}
	return *r.Max - *r.Min, true
}

// Has reports whether a number is within the bounds. Steps are not looked at:
// Label Studio stores what annotators type.
func (r Range) Has(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (r.Min == nil || v >= *r.Min) && (r.Max == nil || v <= *r.Max)
}

// Nearest is the number nearest to v that the control takes as an answer: within
// the bounds, and whole steps away from Min, or from 0 where there is none, as
// Label Studio's interface checks it.
func (r Range) Nearest(v float64) float64 {
	clamp := func(v float64) float64 {
		if r.Max != nil {
			v = min(v, *r.Max)
		}
		if r.Min != nil {
			v = max(v, *r.Min)
		}
		return v
	}
	v = clamp(v)
	if r.Step == nil {
		return v
	}
	base := 0.0
	if r.Min != nil {
		base = *r.Min
	}
	steps := math.Round((v - base) / *r.Step)
	if at := r.at(base, steps); r.Max != nil && at > *r.Max {
		steps--
	}
	at := r.at(base, steps)
	if !r.Has(at) {
		return v // no step lies within the bounds, or it is too far to count
	}
	return at
}

// at is base + steps * step in as many decimals as the two have: 0.3, not
// 0.30000000000000004.
func (r Range) at(base, steps float64) float64 {
	v := base + steps**r.Step
	s := strconv.FormatFloat(v, 'f', max(decimals(base), decimals(*r.Step)), 64)
	if clean, err := strconv.ParseFloat(s, 64); err == nil {
		return clean
	}
	return v
}

func decimals(v float64) int {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if at := strings.IndexByte(s, '.'); at >= 0 {
		return len(s) - at - 1
	}
	return 0
}

func (r Range) key() string {
	var b strings.Builder
	for _, v := range []*float64{r.Min, r.Max, r.Step} {
		if v != nil {
			b.WriteString(strconv.FormatFloat(*v, 'g', -1, 64))
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// ParseNumber reads a number as Label Studio does; nil for what is no number.
func ParseNumber(s string) *float64 {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}
