package simulate

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hone-ml/hone/sampler/strategy"
)

// Reach is a number of labels at which one strategy is as accurate as random is at the end. The
// figure is that of Saving.
type Reach struct {
	// Labels is read off the strategy's mean curve, between its measurements as on a line. With
	// AtLeast it does not get there, and Labels is the largest number that was measured; with
	// AtMost it is there already at the smallest one.
	Labels  float64 `json:"labels"`
	AtLeast bool    `json:"at_least,omitempty"`
	AtMost  bool    `json:"at_most,omitempty"`
	// Saved is how many fewer labels than random that is. StandardError, of both, is a jackknife
	// estimate over the seeds; null with one seed, or where a bound is all that is known.
	Saved         float64  `json:"saved"`
	StandardError *float64 `json:"standard_error"`
}

func (r Reach) String() string {
	switch {
	case r.AtLeast:
		return fmt.Sprintf("more than %.0f", r.Labels)
	case r.AtMost:
		return fmt.Sprintf("less than %.0f, saves more than %.0f", r.Labels, r.Saved)
	case r.StandardError == nil:
		return fmt.Sprintf("%.0f, saves %.0f", r.Labels, r.Saved)
	}
	return fmt.Sprintf("%.0f ± %.0f, saves %.0f", r.Labels, *r.StandardError, r.Saved)
}

// reach returns how many labels some curves need for what random reaches at its last point; nil
// without random.
func reach(of, random []Curve, figure func(Point) float64) *Reach {
	if len(random) == 0 {
		return nil
	}
	last := len(random[0].Points) - 1
	needed := labelsNeeded(of, mean(random, last, figure), figure)
	out := &Reach{Labels: needed.labels, AtLeast: needed.atLeast, AtMost: needed.atMost}
	out.Saved = float64(random[0].Points[last].Labels) - out.Labels
	if !out.AtLeast && !out.AtMost {
		out.StandardError = jackknife(random, of, last, figure)
	}
	return out
}

// Difference is how much higher the curves of one strategy are than those of another: the mean
// difference of the areas of equal seeds.
type Difference struct {
	Strategy string           `json:"strategy"`
	Less     string           `json:"less"`
	Accuracy DifferenceFigure `json:"accuracy"`
	MacroF1  DifferenceFigure `json:"macro_f1"`
	// SpanF1 is there where spans are labelled.
	SpanF1 *DifferenceFigure `json:"span_f1,omitempty"`
}

// DifferenceFigure is the difference of one figure, and its standard error; null with one seed.
type DifferenceFigure struct {
	Difference    float64  `json:"difference"`
	StandardError *float64 `json:"standard_error"`
}

func (f DifferenceFigure) String() string { return f.digits(3) }

// digits is String with so many digits after the point.
func (f DifferenceFigure) digits(n int) string {
	if f.StandardError == nil {
		return fmt.Sprintf("%+.*f", n, f.Difference)
	}
	return fmt.Sprintf("%+.*f ± %.*f", n, f.Difference, n, *f.StandardError)
}

// subtractAreas returns the difference of the areas of curves with equal seeds.
func subtractAreas(of, less []Curve, figure func(Point) float64) (f DifferenceFigure) {
	differences := make([]float64, len(of))
	for i, c := range of {
		differences[i] = areaOf(c, figure) - areaOf(less[i], figure)
	}
	d := newSpread(differences)
	f.Difference = d.Mean
	if d.N > 1 {
		se := d.StandardError()
		f.StandardError = &se
	}
	return f
}

// Differences compares the first strategy with each other one but random, with which Areas
// compares them all; nil where there are no areas.
func (r Result) Differences() (out []Difference) {
	if r.Areas() == nil {
		return nil
	}
	strategies, by := r.byStrategy()
	spans := r.labelsSpans()
	for _, s := range strategies[1:] {
		first := strategies[0]
		if s == strategy.NameRandom || first == strategy.NameRandom || len(by[s]) != len(by[first]) {
			continue
		}
		of := func(figure func(Point) float64) DifferenceFigure { return subtractAreas(by[first], by[s], figure) }
		d := Difference{Strategy: first, Less: s}
		d.Accuracy = of(func(p Point) float64 { return p.Accuracy })
		d.MacroF1 = of(func(p Point) float64 { return p.MacroF1 })
		if spans {
			f := of(func(p Point) float64 { return p.SpanF1 })
			d.SpanF1 = &f
		}
		out = append(out, d)
	}
	return out
}

// writeDifferences writes differences as text, nothing where there are none.
func writeDifferences(w io.Writer, all []Difference) error {
	if len(all) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprint(t, "\ndifference of these means\taccuracy\tmacro-F1")
	if all[0].SpanF1 != nil {
		_, _ = fmt.Fprint(t, "\tspan F1")
	}
	_, _ = fmt.Fprintln(t)
	for _, d := range all {
		_, _ = fmt.Fprintf(t, "%s less %s\t%v\t%v", d.Strategy, d.Less, d.Accuracy, d.MacroF1)
		if d.SpanF1 != nil {
			_, _ = fmt.Fprintf(t, "\t%v", d.SpanF1)
		}
		_, _ = fmt.Fprintln(t)
	}
	return t.Flush()
}
