package guard

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/evaluate"
	"github.com/hone-ml/hone/evaluate/confseq"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

// State is whether a strategy is compared with random.
type State string

const (
	// Off: there is nothing to compare.
	Off State = "off"
	// Comparing: it is compared, or will be once there are random answers.
	Comparing State = "comparing"
	// Left: it was worse, and random took its place.
	Left State = "left"
)

// Status is how a project's strategy compares with random.
type Status struct {
	State State
	// Reason says in a sentence why it is off, or why the strategy was left and how to go back.
	Reason string
	// Strategy is the one compared.
	Strategy string
	Since    time.Time
	// Random and Asked count the answers since then, to tasks that were drawn at random and that the
	// strategy chose.
	Random, Asked int
	Left          *event.Left
	Controls      []Control
}

// Control is the comparison of one control: of two models of equally many answers, how they
// predicted random answers before either had learned them.
type Control struct {
	Control string
	Trials  int
	// Asked and Random are the shares that were right, of the model of asked answers and of that of
	// random ones. Low and High bound their difference at every look.
	Asked, Random, Low, High float64
	// Saved is how many of Trials labels the strategy saves, a point figure: negative when it wastes
	// them. It is nil with few trials.
	Saved *int
}

// Status returns how a project's strategy compares with random. The error is the store's.
func (g *Guard) Status(ctx context.Context, p event.ProjectID) (Status, error) {
	name, share := g.o.Settings.Asking(p)
	c, err := g.o.Store.Comparison(ctx, p)
	if err != nil {
		return Status{}, err
	}
	out := Status{State: Comparing, Strategy: name}
	if c.Strategy == name {
		out.Since, out.Random, out.Asked, out.Left = c.Since, c.Random, c.Asked, c.Left
		out.Controls = controlsOf(c)
	}
	switch why := whyOff(name, share); {
	case out.Left != nil:
		out.State, out.Reason = Left, Reason(p, name, *out.Left)
	case why != "":
		out.State, out.Reason = Off, why
	}
	return out, nil
}

func controlsOf(c event.Comparison) (out []Control) {
	for _, name := range sorted(c.Controls) {
		trials := c.Controls[name].Trials
		d := differences(trials)
		control := Control{Control: name, Trials: d.N(), Saved: saved(trials)}
		control.Asked, control.Random = shares(trials)
		control.Low, control.High = bounds(d, len(c.Controls))
		out = append(out, control)
	}
	return out
}

// Reason says in a sentence why a strategy was left, and how to go back.
func Reason(p event.ProjectID, name string, l event.Left) string {
	return fmt.Sprintf("%s was left for random after %d labels: of %d random answers to %s a model of random answers predicted %.2f, and one of as many that %s asked for %.2f (difference %+.2f, below %+.2f with 95 %% confidence at every look); `hone configure --project %d strategy=%s` goes back and compares anew",
		name, l.Labels, l.Trials, l.Control, l.Random, name, l.Asked, l.Asked-l.Random, l.High, p, name)
}

// whyOff says in a sentence why there is nothing to compare, "" when there is.
func whyOff(name string, randomShare float64) string {
	switch {
	case name == strategy.NameRandom:
		return "the strategy is random"
	case randomShare <= 0:
		return "random_share is 0, so there are no random answers to compare with"
	case randomShare >= 1:
		return "random_share is 1, so no strategy chooses anything"
	}
	return ""
}

func sorted(controls map[string]event.ControlComparison) []string {
	return slices.Sorted(maps.Keys(controls))
}

// Letters of event.ControlComparison.Trials.
const (
	bothRight   = 'b'
	askedRight  = 'a'
	randomRight = 'r'
	noneRight   = 'n'
)

func letterOf(t event.Trial) byte {
	switch {
	case t.Asked && t.Random:
		return bothRight
	case t.Asked:
		return askedRight
	case t.Random:
		return randomRight
	}
	return noneRight
}

func trialOf(letter byte) event.Trial {
	return event.Trial{Asked: letter == bothRight || letter == askedRight, Random: letter == bothRight || letter == randomRight}
}

// differences compares the model of asked answers with that of random ones.
func differences(trials string) (d confseq.Differences) {
	for i := range len(trials) {
		t := trialOf(trials[i])
		d.Add(t.Asked, t.Random)
	}
	return d
}

// shares returns the share that each model had right, 0 of none.
func shares(trials string) (asked, random float64) {
	for i := range len(trials) {
		t := trialOf(trials[i])
		if t.Asked {
			asked++
		}
		if t.Random {
			random++
		}
	}
	n := float64(max(1, len(trials)))
	return asked / n, random / n
}

// minSaved is the number of trials from which labels saved are told.
const minSaved = 50

// saved returns how many of the labels of one model the other does without, of a curve of each: the accuracy
// over the first m trials, made to rise (isotonic regression). The last point that is lower is looked up in
// the other's curve. The accuracy of the last trials alone would say less: of so few it is mostly
// chance.
func saved(trials string) *int {
	if len(trials) < minSaved {
		return nil
	}
	var asked, random float64
	askedCurve, randomCurve := make([]float64, len(trials)), make([]float64, len(trials))
	for i := range len(trials) {
		t := trialOf(trials[i])
		if t.Asked {
			asked++
		}
		if t.Random {
			random++
		}
		askedCurve[i], randomCurve[i] = asked/float64(i+1), random/float64(i+1)
	}
	switch {
	case asked == random:
		return new(0)
	case asked > random:
		return new(len(trials) - sizeAt(evaluate.Isotonic(askedCurve), random/float64(len(trials))))
	}
	return new(sizeAt(evaluate.Isotonic(randomCurve), asked/float64(len(trials))) - len(trials))
}

// sizeAt returns after how many trials a rising curve has reached a height, all of them if it has not.
func sizeAt(curve []float64, height float64) int {
	at, _ := slices.BinarySearch(curve, height)
	return min(at+1, len(curve))
}
