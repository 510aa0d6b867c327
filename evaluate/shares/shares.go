package shares

import (
	"github.com/hone-ml/hone/evaluate/odds"
	"github.com/hone-ml/hone/event"
)

// Share is how large a part of the tasks has a label.
type Share struct {
	Label string
	odds.Interval
}

// Result is how common the labels of a control are. Without Draws there are no Shares.
type Result struct {
	Control string
	// Shares are in the order of the answers' labels.
	Shares []Share
	// Draws is how many draws count, in the order in which they were drawn. Missing are the tasks among them that were skipped or
	// deleted, or whose answer says nothing of the control; those do not count, so if they are unlike
	// the others the shares are of the others. Waiting are the draws from the first on that nobody has
	// answered yet: if answered ones counted before it, what is answered fast would count more.
	Draws, Missing, Waiting int
}

// Estimate estimates the shares of a control's labels among so many tasks, those that are labelled included. draws
// are all draws of the project in their order, and open the tasks of them that may still be
// answered. Tasks that came after a draw are taken to be like the others.
func Estimate(tasks int, draws []event.Draw, a event.ControlAnswers, open map[event.TaskID]bool) Result {
	out := Result{Control: a.Control}
	known := newKnown(a)
	steps := make([][]odds.Step, len(a.Labels))
	for i := range draws {
		d := &draws[i]
		known.add(d.Known...)
		if open[d.Task] {
			out.Waiting = len(draws) - i
			break
		}
		y, answered := a.Of[d.Task]
		if !answered {
			out.Missing++
			continue
		}
		sums, n := known.within(d.Within)
		for l := range a.Labels {
			s := step(d, a, l)
			s.Value, s.Known, s.Size = y[l], sums[l], d.Left+n
			steps[l] = append(steps[l], s)
		}
		out.Draws++
		known.add(d.Task)
	}
	if out.Draws == 0 {
		return out
	}
	for l, label := range a.Labels {
		interval, _ := odds.Estimate(tasks, steps[l])
		out.Shares = append(out.Shares, Share{label, interval})
	}
	return out
}

// step is a draw as the estimate of a label's share sees it, without what was answered. Where the model knew nothing of
// the label the guess is that all labels are as likely.
func step(d *event.Draw, a event.ControlAnswers, label int) odds.Step {
	s := odds.Step{Q: d.Q, Left: d.Left}
	for _, c := range d.Controls {
		if c.Control != a.Control {
			continue
		}
		for i, name := range c.Labels {
			if name == a.Labels[label] {
				s.Guess, s.Rest, s.Foreseen = float64(c.Guess[i]), float64(c.Rest[i]), float64(c.Foreseen[i])
				return s
			}
		}
	}
	even := 0.5
	if a.Exclusive {
		even = 1 / float64(max(2, len(a.Labels)))
	}
	s.Guess, s.Rest, s.Foreseen = even, even*float64(d.Left), even*(1-even)*d.Inverse
	return s
}

// knownTasks are the labelled tasks that cannot be drawn any more.
type knownTasks struct {
	a      event.ControlAnswers
	tasks  []event.TaskID
	bound  uint64
	summed int // so many of tasks are in sums
	n      int
	sums   []float64 // by label
}

func newKnown(a event.ControlAnswers) *knownTasks {
	return &knownTasks{a: a, sums: make([]float64, len(a.Labels))}
}

func (k *knownTasks) add(tasks ...event.TaskID) { k.tasks = append(k.tasks, tasks...) }

// within returns the sum of the values of those with a hash up to a bound, by label, and their number. Those whose answer
// is gone do not count. The slice is valid until the next call.
func (k *knownTasks) within(bound uint64) (sums []float64, n int) {
	if bound != k.bound {
		clear(k.sums)
		k.bound, k.summed, k.n = bound, 0, 0
	}
	for _, t := range k.tasks[k.summed:] {
		y, answered := k.a.Of[t]
		if !answered || t.Hash() > bound {
			continue
		}
		k.n++
		for l, v := range y {
			k.sums[l] += v
		}
	}
	k.summed = len(k.tasks)
	return k.sums, k.n
}
