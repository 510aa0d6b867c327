package statustext

import (
	"fmt"
	"strings"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/sampler/strategy"
)

// statusQueue tells of the first places of the queue: which tasks, why these, and how sure the
// model is of its answers.
func statusQueue(q api.Queue, row func(name, format string, args ...any)) {
	next := q.Tasks[:min(len(q.Tasks), 5)]
	row("asks next", "%s of %d (%s), %d of them in Label Studio", joinIDs(next), len(q.Tasks), rankedBy(q), q.Pushed)
	for i, r := range q.Reasons[:min(len(next), len(q.Reasons))] {
		row(fmt.Sprintf("  task %d", next[i]), "%s", Printable(r.Text))
	}
	if s := joinConfidences(q.Confidences, len(next)); s != "" {
		row("confidence", "%s in its answers to these", s)
	}
}

// rankedBy names the strategy of a queue, and the one that stands in for it.
func rankedBy(q api.Queue) string {
	switch q.RankedBy {
	case "", q.Strategy:
		return q.Strategy
	case strategy.NameRandom:
		return q.Strategy + "; nothing is known yet, so at random"
	}
	return q.Strategy + "; " + q.RankedBy + " stands in until it can"
}

// joinConfidences are the first n, or "" when the model abstains from all of them.
func joinConfidences(all []*float64, n int) string {
	out := make([]string, min(n, len(all)))
	some := false
	for i := range out {
		if out[i] = "none"; all[i] != nil {
			out[i], some = fmt.Sprintf("%.2f", *all[i]), true
		}
	}
	if !some {
		return ""
	}
	return strings.Join(out, " ")
}
