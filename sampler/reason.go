package sampler

import (
	"context"
	"fmt"
	"math"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/cut"
	"github.com/hone-ml/hone/sampler/strategy"
)

// maxReasonName bounds the names of labels and controls in a Reason, in characters: they are
// what strangers wrote.
const maxReasonName = 40

// ReasonKind is the kind of a Reason.
type ReasonKind string

// The kinds of reasons.
const (
	// ReasonUncertain: the model is unsure of its answer.
	ReasonUncertain ReasonKind = "uncertain"
	// ReasonNovel: it is unlike anything labelled, and the model no less sure of it than of others.
	ReasonNovel ReasonKind = "novel"
	// ReasonCovers: it is near many tasks of which the model is unsure.
	ReasonCovers ReasonKind = "covers"
	// ReasonTypical: it is typical of a group of tasks with few labels, or none.
	ReasonTypical ReasonKind = "typical"
	// ReasonBalance: it is likely to have a label that few labelled tasks have.
	ReasonBalance ReasonKind = "balance"
	// ReasonRandom: it was drawn without looking at the model.
	ReasonRandom ReasonKind = "random"
	// ReasonDrawn: it was drawn with known odds.
	ReasonDrawn ReasonKind = "drawn"
	// ReasonUnknown: the model has nothing to say of it.
	ReasonUnknown ReasonKind = "unknown"
)

// Reason is why a task is in the queue.
type Reason struct {
	Kind ReasonKind `json:"kind"`
	// Control is the name of the control tag of which the model is unsure, or whose labels are
	// balanced.
	Control string `json:"control,omitempty"`
	// Between are the two labels it is unsure between, the likelier one first, or the one of
	// which it is unsure whether it holds, or that is lacking, with their probabilities. With
	// Levels the first stands for itself and all lower levels, the second for itself and all
	// higher ones.
	Between []LabelProbability `json:"between,omitempty"`
	Levels  bool               `json:"levels,omitempty"`
	// Certainty is that of an answer that is no label, 0 to 1.
	Certainty *float64 `json:"certainty,omitempty"`
	// GroupLabels is how many labelled tasks its group has, of ReasonTypical, those before it
	// in the queue counted; Labelled how many labelled tasks have the label, of ReasonBalance.
	GroupLabels int `json:"group_labels,omitempty"`
	Labelled    int `json:"labelled,omitempty"`
	// Odds are those with which it was drawn, of ReasonDrawn.
	Odds float64 `json:"odds,omitempty"`
	// Text says all of it in a few words. Names of labels are as people wrote them, and short.
	Text string `json:"text"`
}

// LabelProbability is a label and how probable it is, 0 to 1.
type LabelProbability struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

// labelProbability bounds and rounds what a reason says.
func labelProbability(label string, p float64) LabelProbability {
	return LabelProbability{Label: cut.Ellipsis(label, maxReasonName), Probability: math.Round(1000*p) / 1000}
}

// explain completes the reasons of a queue of tasks. Figures are those of the last snapshot; if
// that is not the one that ranked, another ranking follows. The error is that of the scorer.
func (r *Ranker) explain(ctx context.Context, p event.ProjectID, tasks []event.Task, items []Item) error {
	estimates := make([][]event.Estimate, len(tasks))
	if !r.random {
		var err error
		if estimates, _, err = r.scorer.Estimates(ctx, p, tasks); err != nil {
			return fmt.Errorf("score %d tasks: %w", len(tasks), err)
		}
	}
	if len(estimates) != len(tasks) {
		return fmt.Errorf("score %d tasks: got %d estimates", len(tasks), len(estimates))
	}
	for i := range items {
		reason := &items[i].Reason
		switch {
		case items[i].Random:
			*reason = Reason{Kind: ReasonRandom}
		case items[i].Odds > 0:
			*reason = Reason{Kind: ReasonDrawn, Odds: items[i].Odds}
		case reason.Kind == "" || reason.Kind == ReasonUncertain:
			*reason = uncertainOf(r.strategy, estimates[i])
		}
		reason.Text = reason.describe(len(estimates[i]) > 1)
	}
	return nil
}

// uncertainOf says of what the model is unsure: of the answer of its least sure head.
func uncertainOf(s strategy.Strategy, estimates []event.Estimate) Reason {
	least, at := math.Inf(1), -1
	for i, e := range estimates {
		if score, ok := s.Score(e); ok && score < least {
			least, at = score, i
		}
	}
	if at < 0 {
		return Reason{Kind: ReasonUnknown}
	}
	e := estimates[at]
	out := Reason{Kind: ReasonUncertain, Control: cut.Ellipsis(e.Control, maxReasonName)}
	switch d := e.Classes; {
	case d == nil:
		c := math.Round(1000*e.Certainty) / 1000
		out.Certainty = &c
	case d.Ordered:
		out.Between, out.Levels = nearestStep(*d), true
	case d.Exclusive:
		first, second := twoLikeliest(d.P)
		sum := total(d.P)
		out.Between = []LabelProbability{labelProbability(d.Labels[first], d.P[first]/sum), labelProbability(d.Labels[second], d.P[second]/sum)}
	default:
		doubtful := 0
		for y, p := range d.P {
			if math.Abs(p-0.5) < math.Abs(d.P[doubtful]-0.5) {
				doubtful = y
			}
		}
		out.Between = []LabelProbability{labelProbability(d.Labels[doubtful], d.P[doubtful])}
	}
	return out
}

// twoLikeliest returns the indices of the two highest of at least two numbers, the first of equals.
func twoLikeliest(p []float64) (first, second int) {
	first, second = 0, 1
	if p[1] > p[0] {
		first, second = 1, 0
	}
	for y := 2; y < len(p); y++ {
		switch {
		case p[y] > p[first]:
			first, second = y, first
		case p[y] > p[second]:
			second = y
		}
	}
	return first, second
}

// nearestStep returns the two levels between which the median is least sure, each with the
// probability of its side.
func nearestStep(d event.Distribution) []LabelProbability {
	sum := total(d.P)
	upTo, best, side := 0.0, 0, 0.0
	for k := range len(d.P) - 1 {
		upTo += d.P[k] / sum
		if k == 0 || math.Abs(upTo-0.5) < math.Abs(side-0.5) {
			best, side = k, upTo
		}
	}
	return []LabelProbability{labelProbability(d.Labels[best], side), labelProbability(d.Labels[best+1], max(0, 1-side))}
}

// describe says a reason in a few words; of several controls it names the one.
func (r *Reason) describe(several bool) string {
	of := ""
	if several && r.Control != "" {
		of = " (" + r.Control + ")"
	}
	label := func(i int) string { return fmt.Sprintf("%s (%.2f)", r.Between[i].Label, r.Between[i].Probability) }
	switch r.Kind {
	case ReasonRandom:
		return "random control"
	case ReasonDrawn:
		return fmt.Sprintf("drawn with odds of 1 in %.0f", max(1, 1/r.Odds))
	case ReasonNovel:
		return "unlike anything labelled"
	case ReasonCovers:
		return "near tasks the model is unsure of"
	case ReasonTypical:
		switch r.GroupLabels {
		case 0:
			return "typical of a group without labels"
		case 1:
			return "typical of a group with 1 label"
		}
		return fmt.Sprintf("typical of a group with %d labels", r.GroupLabels)
	case ReasonBalance:
		return fmt.Sprintf("likely %s, which %d tasks have%s", label(0), r.Labelled, of)
	case ReasonUncertain:
		switch {
		case r.Certainty != nil:
			return fmt.Sprintf("unsure of its answer, certainty %.2f%s", *r.Certainty, of)
		case len(r.Between) == 1:
			return "unsure whether " + label(0) + of
		case r.Levels:
			return fmt.Sprintf("unsure between up to %s and from %s%s", label(0), label(1), of)
		}
		return "unsure between " + label(0) + " and " + label(1) + of
	}
	return "nothing is known of it"
}
