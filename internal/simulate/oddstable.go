package simulate

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// Price is what a strategy's area loses when its tasks are drawn with known odds: the mean difference of
// equal seeds, odds less none, and its standard error, null with one seed.
type Price struct {
	Strategy string           `json:"strategy"`
	Accuracy DifferenceFigure `json:"accuracy"`
	MacroF1  DifferenceFigure `json:"macro_f1"`
}

// OddsPrices returns what the odds cost each strategy, in the order of the curves; nil without odds, or where
// there are fewer than two numbers of labels from 10 on.
func (r Result) OddsPrices() (out []Price) {
	strategies, with := r.byStrategy()
	_, without := Result{Curves: r.WithoutOdds}.byStrategy()
	for _, s := range strategies {
		if len(without[s]) == 0 || len(fromLabels(with[s][0].Points)) < 2 {
			return nil
		}
		of := func(figure func(Point) float64) DifferenceFigure { return subtractAreas(with[s], without[s], figure) }
		out = append(out, Price{s, of(func(p Point) float64 { return p.Accuracy }), of(func(p Point) float64 { return p.MacroF1 })})
	}
	return out
}

// oddsSums sums up estimates by draws.
type oddsSums struct {
	shares, held, width, random, squares float64
	runs, accuracyHeld, accuracyWidth    float64
	labels                               map[string]*[2]float64 // held and all
}

func (s *oddsSums) add(p Point) {
	if s.labels == nil {
		s.labels = map[string]*[2]float64{}
	}
	for _, l := range p.Drawn.Shares {
		of := s.labels[l.Label]
		if of == nil {
			of = new([2]float64)
			s.labels[l.Label] = of
		}
		if l.Holds(l.Truth) {
			s.held++
			of[0]++
		}
		of[1]++
		s.shares++
		s.width += l.Width()
		s.random += l.Random
		s.squares += (l.Estimate - l.Truth) * (l.Estimate - l.Truth)
	}
	if a := p.Drawn.Accuracy; a != nil {
		s.runs++
		s.accuracyWidth += a.Width()
		if a.Holds(p.Accuracy) {
			s.accuracyHeld++
		}
	}
}

// worst is the least share of runs in which the interval of one label held.
func (s *oddsSums) worst() float64 {
	worst := 1.0
	for _, of := range s.labels {
		worst = min(worst, of[0]/of[1])
	}
	return worst
}

// OddsTable writes, by strategy and number of labels, how often the 95 % intervals of the labels' shares held the
// truth, over all labels and for the label of which they did least often, how wide they were, also against those of as many random labels, how far off the estimates;
// and how often the interval of the accuracy held that on the test data, and its width. Last is what the odds cost. It writes nothing without odds.
func (r Result) OddsTable(w io.Writer) error {
	if r.WithoutOdds == nil {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(t, "\nby known odds\tlabels\tshares hold\tworst label\toff by\twidth\tof random's\taccuracy holds\twidth")
	for _, row := range r.Rows() {
		var s oddsSums
		for _, c := range r.Curves {
			for _, p := range c.Points {
				if c.Strategy == row.Strategy && p.Labels == row.Labels && p.Drawn != nil {
					s.add(p)
				}
			}
		}
		if s.shares == 0 {
			continue
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t%.3f\t%.3f\t%.4f\t%.3f\t%.2f", row.Strategy, row.Labels, s.held/s.shares, s.worst(), math.Sqrt(s.squares/s.shares), s.width/s.shares, s.width/s.random)
		if s.runs > 0 {
			_, _ = fmt.Fprintf(t, "\t%.3f\t%.3f", s.accuracyHeld/s.runs, s.accuracyWidth/s.runs)
		}
		_, _ = fmt.Fprintln(t)
	}
	if r.Prices != nil {
		_, _ = fmt.Fprintln(t, "\nwhat the odds cost\taccuracy\tmacro-F1")
	}
	for _, p := range r.Prices {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", p.Strategy, p.Accuracy.digits(4), p.MacroF1.digits(4))
	}
	return t.Flush()
}
