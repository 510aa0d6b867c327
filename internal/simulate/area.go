package simulate

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/hone-ml/hone/sampler/strategy"
)

// areaFrom is the number of labels from which areas are taken: before it there are more gaps
// than labels.
const areaFrom = 10

// Area is the mean height of a strategy's curves between two numbers of labels: the area under
// them (trapezoids) per label, and the mean over the seeds.
type Area struct {
	Strategy string     `json:"strategy"`
	From     int        `json:"from"`
	To       int        `json:"to"`
	Accuracy AreaFigure `json:"accuracy"`
	MacroF1  AreaFigure `json:"macro_f1"`
	// SpanF1 is there where spans are labelled.
	SpanF1 *AreaFigure `json:"span_f1,omitempty"`
	// Reaches says how many labels the strategy needs to be as accurate as random is with To of
	// them; absent without random, and of random itself.
	Reaches *Reach `json:"reaches,omitempty"`
	// Seconds are the mean ones of a curve, and RankSeconds those of its rankings.
	Seconds     float64 `json:"seconds"`
	RankSeconds float64 `json:"rank_seconds"`
}

// AreaFigure is the area of one figure. Above is how far it is above that of random, paired by
// seed; null without random, and of random itself. StandardError is that of Above; null with
// one seed.
type AreaFigure struct {
	Area          float64  `json:"area"`
	Above         *float64 `json:"above_random"`
	StandardError *float64 `json:"standard_error"`
}

func (f AreaFigure) String() string {
	switch {
	case f.Above == nil:
		return fmt.Sprintf("%.3f", f.Area)
	case f.StandardError == nil:
		return fmt.Sprintf("%.3f (%+.3f)", f.Area, *f.Above)
	}
	return fmt.Sprintf("%.3f (%+.3f ± %.3f)", f.Area, *f.Above, *f.StandardError)
}

// Areas returns the area of each strategy, from 10 labels to the last number of them, in the
// order of the curves; nil where fewer than two numbers of labels are so large.
func (r Result) Areas() (out []Area) {
	strategies, by := r.byStrategy()
	spans := r.labelsSpans()
	for _, s := range strategies {
		points := fromLabels(by[s][0].Points)
		if len(points) < 2 {
			return nil
		}
		random := by[strategy.NameRandom]
		if s == strategy.NameRandom {
			random = nil
		}
		of := func(figure func(Point) float64) AreaFigure { return compareAreas(by[s], random, figure) }
		a := Area{Strategy: s, From: points[0].Labels, To: points[len(points)-1].Labels}
		a.Accuracy = of(func(p Point) float64 { return p.Accuracy })
		a.MacroF1 = of(func(p Point) float64 { return p.MacroF1 })
		if spans {
			f := of(func(p Point) float64 { return p.SpanF1 })
			a.SpanF1 = &f
		}
		a.Reaches = reach(by[s], random, r.mainFigure())
		a.Seconds = spreadOverSeeds(by[s], func(c Curve) float64 { return c.Seconds }).Mean
		a.RankSeconds = spreadOverSeeds(by[s], func(c Curve) float64 { return c.RankSeconds }).Mean
		out = append(out, a)
	}
	return out
}

// fromLabels leaves out the points with fewer labels than areas begin with.
func fromLabels(points []Point) []Point {
	for len(points) > 0 && points[0].Labels < areaFrom {
		points = points[1:]
	}
	return points
}

// compareAreas pairs the curves of a strategy with those of random, which have the same seeds.
func compareAreas(of, random []Curve, figure func(Point) float64) (f AreaFigure) {
	f.Area = spreadOverSeeds(of, func(c Curve) float64 { return areaOf(c, figure) }).Mean
	if len(random) != len(of) {
		return f
	}
	above := subtractAreas(of, random, figure)
	f.Above, f.StandardError = &above.Difference, above.StandardError
	return f
}

// areaOf returns the area under a curve, per label.
func areaOf(c Curve, figure func(Point) float64) (area float64) {
	points := fromLabels(c.Points)
	for i, p := range points[1:] {
		before := points[i]
		area += float64(p.Labels-before.Labels) * (figure(before) + figure(p)) / 2
	}
	return area / float64(points[len(points)-1].Labels-points[0].Labels)
}

// AreaTable writes the areas as text, nothing where there are none.
func (r Result) AreaTable(w io.Writer) error {
	areas := r.Areas()
	if areas == nil {
		return nil
	}
	random := slices.ContainsFunc(areas, func(a Area) bool { return a.Reaches != nil })
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintf(t, "\nmean from %d to %d labels\taccuracy\tmacro-F1", areas[0].From, areas[0].To)
	if areas[0].SpanF1 != nil {
		_, _ = fmt.Fprint(t, "\tspan F1")
	}
	if random {
		_, _ = fmt.Fprintf(t, "\tlabels to be where random is at %d", areas[0].To)
	}
	_, _ = fmt.Fprintln(t, "\tseconds\tof them ranking")
	for _, a := range areas {
		_, _ = fmt.Fprintf(t, "%s\t%v\t%v", a.Strategy, a.Accuracy, a.MacroF1)
		if a.SpanF1 != nil {
			_, _ = fmt.Fprintf(t, "\t%v", a.SpanF1)
		}
		if a.Reaches != nil {
			_, _ = fmt.Fprintf(t, "\t%v", a.Reaches)
		} else if random {
			_, _ = fmt.Fprint(t, "\t")
		}
		_, _ = fmt.Fprintf(t, "\t%.1f\t%.1f\n", a.Seconds, a.RankSeconds)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeDifferences(w, r.Differences())
}
