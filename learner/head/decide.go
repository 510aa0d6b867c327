package head

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// Outcome is what hone does with a control.
type Outcome int

// The outcomes, from least to most.
const (
	// None: hone leaves the control alone.
	None Outcome = iota
	// OrderedOnly: hone learns which tasks to ask about first, and suggests no answer.
	// No control has this outcome yet.
	OrderedOnly
	// Learned: hone learns the control's answers and suggests them.
	Learned
)

// Decision says what hone does with one control, and why. It is immutable.
type Decision struct {
	Control labelconfig.Control
	Outcome Outcome
	// Reason says why the outcome is not Learned, as the end of a sentence that starts
	// with the tag; empty when it is.
	Reason string
	// Answer is the form of the control's answers, and Kind learns them; nil unless the
	// outcome is Learned.
	Answer Answer
	Kind   Kind
	// Objects are the object tags of the control that hone can read, in the control's
	// order.
	Objects []labelconfig.Object
	// Visibility tells when annotators see the control; nil when they always do.
	Visibility *regions.Visibility
}

// Decisions are those on a config's controls, in document order.
type Decisions []Decision

// Decide decides on every control of a config. The result is never nil.
func Decide(cfg *labelconfig.Config) Decisions {
	out := make(Decisions, len(cfg.Controls))
	visibility := regions.NewVisibility(cfg.Controls)
	for i, c := range cfg.Controls {
		out[i] = For(c, cfg.Objects)
		if c.Conditional {
			out[i].Visibility = visibility
		}
	}
	return out
}

// For decides on a control, given the object tags of its config.
func For(c labelconfig.Control, objects []labelconfig.Object) Decision {
	d := Decision{Control: c, Objects: content.Readable(c, objects)}
	t, known := tagOf(c.Type)
	switch {
	case !known:
		d.Reason = unknown(c.Type)
	default:
		if d.Reason = unanswerable(c, t); d.Reason == "" {
			d.Reason = unread(c, t.answer, objects, len(d.Objects))
		}
	}
	if d.Reason == "" {
		d.Outcome, d.Answer, d.Kind = Learned, t.answer, t.kind
	}
	return d
}

// Learned are the decisions with that outcome.
func (ds Decisions) Learned() []Decision {
	var out []Decision
	for _, d := range ds {
		if d.Outcome == Learned {
			out = append(out, d)
		}
	}
	return out
}

// Visibility is that of the config's controls, nil when those that are learned are always
// shown.
func (ds Decisions) Visibility() *regions.Visibility {
	for _, d := range ds.Learned() {
		if d.Visibility != nil {
			return d.Visibility
		}
	}
	return nil
}

// Check returns nil when a control is learned. Otherwise the error says, for the person
// who made the config, what was found and what would work.
func (ds Decisions) Check() error {
	if len(ds.Learned()) > 0 {
		return nil
	}
	works := "hone learns " + tagNames() + " over <Text>, <HyperText> or <Paragraphs>"
	if len(ds) == 0 {
		return errors.New("the label config has no control tag to learn: " + works)
	}
	const most = 5
	var found []string
	for i, d := range ds {
		if i == most {
			found = append(found, fmt.Sprintf("and %d more", len(ds)-most))
			break
		}
		found = append(found, fmt.Sprintf("<%s name=%q> %s", d.Control.Type, d.Control.Name, d.Reason))
	}
	return fmt.Errorf("the label config has nothing hone can learn: %s; %s", strings.Join(found, "; "), works)
}

// Key changes when a learned control, or what it reads, changes; so equal keys mean the
// same heads over the same features.
func (ds Decisions) Key() string {
	var lists [][]string
	for _, d := range ds.Learned() {
		lists = append(lists, []string{"control", d.Control.Key()})
		if d.Visibility != nil {
			lists = append(lists, []string{"visibility", d.Visibility.Key(d.Control.Name)})
		}
		for _, o := range d.Objects {
			lists = append(lists, []string{"object", o.Key()})
		}
	}
	return labelconfig.HashLists(lists...)
}
