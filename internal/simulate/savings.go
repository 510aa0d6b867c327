package simulate

import (
	"fmt"
	"math"
	"slices"

	"github.com/hone-ml/hone/evaluate"
	"github.com/hone-ml/hone/sampler/strategy"
)

// Saving compares a strategy with random: how many labels random needs to be as accurate. The
// figure is the accuracy, or the span F1 where spans are labelled.
type Saving struct {
	Strategy string `json:"strategy"`
	Labels   int    `json:"labels"`
	// Random is how many labels random needs, between its measurements as on a line. With
	// AtLeast it needs more than were measured, of which Random is the largest number; with
	// AtMost no more than the smallest one.
	Random  float64 `json:"random"`
	AtLeast bool    `json:"at_least,omitempty"`
	AtMost  bool    `json:"at_most,omitempty"`
	// Saved is Random less Labels. StandardError is its jackknife estimate over the seeds;
	// null with one seed, or where a bound is all that is known.
	Saved         float64  `json:"saved"`
	StandardError *float64 `json:"standard_error"`
}

func (s Saving) String() string {
	switch {
	case s.AtLeast:
		return fmt.Sprintf("more than %+.0f", s.Saved)
	case s.AtMost:
		return fmt.Sprintf("less than %+.0f", s.Saved)
	case s.StandardError == nil:
		return fmt.Sprintf("%+.0f", s.Saved)
	}
	return fmt.Sprintf("%+.0f ± %.0f", s.Saved, *s.StandardError)
}

// Savings compares each strategy with random, at each number of labels; nil without random.
func (r Result) Savings() (out []Saving) {
	strategies, by := r.byStrategy()
	random := by[strategy.NameRandom]
	if len(random) == 0 {
		return nil
	}
	figure := r.mainFigure()
	for _, s := range strategies {
		if s == strategy.NameRandom {
			continue
		}
		for i, p := range by[s][0].Points {
			needed := labelsNeeded(random, mean(by[s], i, figure), figure)
			saving := Saving{
				Strategy: s, Labels: p.Labels, Random: needed.labels, AtLeast: needed.atLeast, AtMost: needed.atMost,
				Saved: needed.labels - float64(p.Labels), StandardError: jackknife(by[s], random, i, figure),
			}
			if saving.AtLeast || saving.AtMost {
				saving.StandardError = nil
			}
			out = append(out, saving)
		}
	}
	return out
}

// mainFigure is what strategies are compared by.
func (r Result) mainFigure() func(Point) float64 {
	if r.labelsSpans() {
		return func(p Point) float64 { return p.SpanF1 }
	}
	return func(p Point) float64 { return p.Accuracy }
}

// labelsSpans reports whether any span was right.
func (r Result) labelsSpans() bool {
	return slices.ContainsFunc(r.Curves, func(c Curve) bool {
		return slices.ContainsFunc(c.Points, func(p Point) bool { return p.SpanF1 > 0 })
	})
}

func mean(curves []Curve, point int, figure func(Point) float64) float64 {
	var sum float64
	for _, c := range curves {
		sum += figure(c.Points[point])
	}
	return sum / float64(len(curves))
}

// labelCount is a number of labels, or a bound of it.
type labelCount struct {
	labels          float64
	atLeast, atMost bool
}

// labelsNeeded returns how many labels the mean of some curves needs to reach a figure. A mean
// curve that falls by chance is first made to rise (isotonic regression; Barlow et al. 1972).
func labelsNeeded(curves []Curve, want float64, figure func(Point) float64) labelCount {
	points := curves[0].Points
	y := make([]float64, len(points))
	for i := range y {
		y[i] = mean(curves, i, figure)
	}
	y = evaluate.Isotonic(y)
	first, last := points[0].Labels, points[len(points)-1].Labels
	if want <= y[0] {
		return labelCount{labels: float64(first), atMost: first > 0 && want < y[0]}
	}
	for i := 1; i < len(y); i++ {
		if want <= y[i] {
			share := (want - y[i-1]) / (y[i] - y[i-1])
			from, to := float64(points[i-1].Labels), float64(points[i].Labels)
			return labelCount{labels: from + share*(to-from)}
		}
	}
	return labelCount{labels: float64(last), atLeast: true}
}

// jackknife returns the standard error of the labels needed (Efron 1982), leaving out one
// seed at a time of both; nil where that leaves nothing or a bound.
func jackknife(of, random []Curve, point int, figure func(Point) float64) *float64 {
	k := min(len(of), len(random))
	if k < 2 {
		return nil
	}
	needed := make([]float64, k)
	var sum float64
	for i := range k {
		rest := without(random, i)
		n := labelsNeeded(rest, mean(without(of, i), point, figure), figure)
		if n.atLeast || n.atMost {
			return nil
		}
		needed[i] = n.labels
		sum += n.labels
	}
	var squares float64
	for _, n := range needed {
		squares += (n - sum/float64(k)) * (n - sum/float64(k))
	}
	out := math.Sqrt(squares * float64(k-1) / float64(k))
	return &out
}

func without(curves []Curve, i int) []Curve {
	out := append([]Curve(nil), curves[:i]...)
	return append(out, curves[i+1:]...)
}
