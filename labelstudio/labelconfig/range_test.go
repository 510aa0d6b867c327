package labelconfig

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestNearestIsANumberTheControlTakes(t *testing.T) {
	tenth := mustParse(t, `<View><Text name="t" value="$t"/><Number name="c" toName="t" step="0.1"/></View>`).Controls[0].Numbers
	if v := tenth.Nearest(0.3000001); v != 0.3 {
		t.Errorf("nearest in tenths is %v", v)
	}
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.Custom(func(t *rapid.T) *float64 {
			if rapid.Bool().Draw(t, "open") {
				return nil
			}
			v := float64(rapid.IntRange(-50, 50).Draw(t, "end")) / 4
			return &v
		})
		r := Range{Min: end.Draw(t, "min"), Max: end.Draw(t, "max")}
		if rapid.Bool().Draw(t, "steps") {
			step := float64(rapid.IntRange(1, 40).Draw(t, "step")) / 4
			r.Step = &step
		}
		if w, ok := r.Width(); ok && !(w > 0) {
			return // no question: hone does not learn it
		}
		v := rapid.Float64Range(-1e6, 1e6).Draw(t, "v")
		got := r.Nearest(v)
		if !r.Has(got) {
			t.Fatalf("%g is not within %v to %v", got, r.Min, r.Max)
		}
		if r.Step == nil {
			return
		}
		base := 0.0
		if r.Min != nil {
			base = *r.Min
		}
		off := math.Abs(math.Remainder(got-base, *r.Step))
		some := math.Floor((orElse(r.Max, math.Inf(1)) - base) / *r.Step)
		if first := math.Ceil((orElse(r.Min, math.Inf(-1)) - base) / *r.Step); off > 1e-9 && some >= first {
			t.Fatalf("%g is %g off the steps of %g from %g", got, off, *r.Step, base)
		}
	})
}

func orElse(v *float64, other float64) float64 {
	if v == nil {
		return other
	}
	return *v
}
