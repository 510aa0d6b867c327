package simulate

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// Spread is the mean and the standard deviation (of the sample) of a figure over N
// seeds.
type Spread struct {
	Mean, SD float64
	N        int
}

// StandardError returns that of the mean, 0 of one seed.
func (s Spread) StandardError() float64 { return s.SD / math.Sqrt(float64(max(1, s.N))) }

func (s Spread) String() string { return fmt.Sprintf("%.3f ± %.3f", s.Mean, s.SD) }

// Row is a point of a strategy's mean curve.
type Row struct {
	Strategy          string
	Labels            int
	Accuracy, MacroF1 Spread
	MAE               Spread // zero without a Rating or a Number
	SpanF1            Spread // zero without a control that labels spans
}

// Rows are the mean curves, by strategy in the order of the curves.
func (r Result) Rows() []Row {
	var out []Row
	strategies, by := r.byStrategy()
	for _, s := range strategies {
		of := by[s]
		for i, p := range of[0].Points {
			row := Row{Strategy: s, Labels: p.Labels}
			row.Accuracy = spreadOverSeeds(of, func(c Curve) float64 { return c.Points[i].Accuracy })
			row.MacroF1 = spreadOverSeeds(of, func(c Curve) float64 { return c.Points[i].MacroF1 })
			row.MAE = spreadOverSeeds(of, func(c Curve) float64 { return c.Points[i].MAE })
			row.SpanF1 = spreadOverSeeds(of, func(c Curve) float64 { return c.Points[i].SpanF1 })
			out = append(out, row)
		}
	}
	return out
}

// byStrategy returns the strategies in the order of the curves, and the curves of each.
func (r Result) byStrategy() (strategies []string, curves map[string][]Curve) {
	curves = map[string][]Curve{}
	for _, c := range r.Curves {
		if curves[c.Strategy] == nil {
			strategies = append(strategies, c.Strategy)
		}
		curves[c.Strategy] = append(curves[c.Strategy], c)
	}
	return strategies, curves
}

func spreadOverSeeds(curves []Curve, f func(Curve) float64) Spread {
	values := make([]float64, len(curves))
	for i, c := range curves {
		values[i] = f(c)
	}
	return newSpread(values)
}

// newSpread returns the mean of some values and the standard deviation of a sample, 0 of one.
func newSpread(values []float64) Spread {
	s := Spread{N: len(values)}
	for _, v := range values {
		s.Mean += v / float64(len(values))
	}
	if len(values) < 2 {
		return s
	}
	for _, v := range values {
		s.SD += (v - s.Mean) * (v - s.Mean) / float64(len(values)-1)
	}
	s.SD = math.Sqrt(s.SD)
	return s
}

// Table writes the mean curves as text.
func (r Result) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	rows := r.Rows()
	columns := []struct {
		name string
		of   func(Row) Spread
	}{
		{"accuracy", func(r Row) Spread { return r.Accuracy }},
		{"macro-F1", func(r Row) Spread { return r.MacroF1 }},
		{"mean error", func(r Row) Spread { return r.MAE }},
		{"span F1", func(r Row) Spread { return r.SpanF1 }},
	}
	// The last two are of some controls only.
	shown := columns[:2:2]
	for _, c := range columns[2:] {
		if slices.ContainsFunc(rows, func(r Row) bool { return c.of(r).Mean > 0 }) {
			shown = append(shown, c)
		}
	}
	_, _ = fmt.Fprint(t, "strategy\tlabels")
	for _, c := range shown {
		_, _ = fmt.Fprint(t, "\t"+c.name)
	}
	savings := r.Savings()
	if savings != nil {
		_, _ = fmt.Fprint(t, "\tlabels saved against random")
	}
	_, _ = fmt.Fprintln(t)
	for _, row := range rows {
		_, _ = fmt.Fprintf(t, "%s\t%d", row.Strategy, row.Labels)
		for _, c := range shown {
			_, _ = fmt.Fprintf(t, "\t%v", c.of(row))
		}
		for _, s := range savings {
			if s.Strategy == row.Strategy && s.Labels == row.Labels {
				_, _ = fmt.Fprintf(t, "\t%v", s)
			}
		}
		_, _ = fmt.Fprintln(t)
	}
	return t.Flush()
}
