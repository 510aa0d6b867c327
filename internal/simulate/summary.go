package simulate

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// Spread is the mean and the standard deviation (of the sample) of a figure over
// seeds.
type Spread struct{ Mean, SD float64 }

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
	var strategies []string
	for _, c := range r.Curves {
		if !slices.Contains(strategies, c.Strategy) {
			strategies = append(strategies, c.Strategy)
		}
	}
	for _, s := range strategies {
		var of []Curve
		for _, c := range r.Curves {
			if c.Strategy == s {
				of = append(of, c)
			}
		}
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

func spreadOverSeeds(curves []Curve, f func(Curve) float64) Spread {
	var s Spread
	for _, c := range curves {
		s.Mean += f(c) / float64(len(curves))
	}
	if len(curves) < 2 {
		return s
	}
	for _, c := range curves {
		s.SD += (f(c) - s.Mean) * (f(c) - s.Mean) / float64(len(curves)-1)
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
