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
			row.Accuracy = spread(of, func(c Curve) float64 { return c.Points[i].Accuracy })
			row.MacroF1 = spread(of, func(c Curve) float64 { return c.Points[i].MacroF1 })
			row.SpanF1 = spread(of, func(c Curve) float64 { return c.Points[i].SpanF1 })
			out = append(out, row)
		}
	}
	return out
}

func spread(curves []Curve, f func(Curve) float64) Spread {
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
	spans := slices.ContainsFunc(rows, func(r Row) bool { return r.SpanF1.Mean > 0 })
	_, _ = fmt.Fprint(t, "strategy\tlabels\taccuracy\tmacro-F1")
	if spans {
		_, _ = fmt.Fprint(t, "\tspan F1")
	}
	_, _ = fmt.Fprintln(t)
	for _, row := range rows {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%v\t%v", row.Strategy, row.Labels, row.Accuracy, row.MacroF1)
		if spans {
			_, _ = fmt.Fprintf(t, "\t%v", row.SpanF1)
		}
		_, _ = fmt.Fprintln(t)
	}
	return t.Flush()
}
