package main

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/hone-ml/hone/learner/model"
)

// outcome is what was measured in one order.
type outcome struct {
	byDefault, chosen, adapted float64   // on the half that judges
	one, other                 []float64 // of each cell, on the half that chooses and on the half that judges
}

// result is what was measured of one set with one number of labels.
type result struct {
	orders []outcome
	cells  []model.Settings
}

// of returns the mean of a figure over the orders, and its standard error.
func (r *result) of(figure func(outcome) float64) (mean, se float64) {
	for _, o := range r.orders {
		mean += figure(o)
	}
	n := float64(len(r.orders))
	mean /= n
	for _, o := range r.orders {
		d := figure(o) - mean
		se += d * d
	}
	return mean, math.Sqrt(se / max(1, n-1) / n)
}

// best returns the place of the cell that is best on the mean of the halves that choose, -1
// without cells.
func (r *result) best() int {
	at, most := -1, math.Inf(-1)
	for c := range r.orders[0].one {
		if m, _ := r.of(func(o outcome) float64 { return o.one[c] }); m > most {
			at, most = c, m
		}
	}
	return at
}

// regret is what choice is worse than the best cell; 0 without cells.
func (r *result) regret(choice func(outcome) float64) (mean, se float64) {
	best := r.best()
	if best < 0 {
		return 0, 0
	}
	return r.of(func(o outcome) float64 { return o.other[best] - choice(o) })
}

func chosen(o outcome) float64    { return o.chosen }
func byDefault(o outcome) float64 { return o.byDefault }
func adapted(o outcome) float64   { return o.adapted }

func (r *result) print(w io.Writer, name string, n int) {
	c, _ := r.of(chosen)
	d, _ := r.of(byDefault)
	fmt.Fprintf(w, "%-32s %4d labels  chosen %.3f  default %.3f", name, n, c, d)
	if best := r.best(); best >= 0 {
		b, _ := r.of(func(o outcome) float64 { return o.other[best] })
		regret, se := r.regret(chosen)
		fmt.Fprintf(w, "  best cell %.3f  regret %+.3f (%.3f)", b, regret, se)
	}
	if a, _ := r.of(adapted); a > 0 {
		gain, se := r.of(func(o outcome) float64 { return o.adapted - o.chosen })
		fmt.Fprintf(w, "  adapted %.3f  gain %+.3f (%.3f)", a, gain, se)
	}
	fmt.Fprintln(w)
}

// summary has the regrets of all sets, by the number of labels.
type summary map[int][2][]float64

func (s summary) collect(n int, r *result) {
	all := s[n]
	for i, choice := range []func(outcome) float64{chosen, byDefault} {
		regret, _ := r.regret(choice)
		all[i] = append(all[i], regret)
	}
	s[n] = all
}

func (s summary) print(w io.Writer, n int) {
	for i, name := range []string{"chosen", "default"} {
		all := slices.Sorted(slices.Values(s[n][i]))
		if len(all) == 0 {
			continue
		}
		at := int(math.Ceil(0.95*float64(len(all)))) - 1
		fmt.Fprintf(w, "%4d labels, %d sets, %-8s regret: median %+.3f, 95th percentile %+.3f, largest %+.3f\n",
			n, len(all), name, all[len(all)/2], all[at], all[len(all)-1])
	}
}
