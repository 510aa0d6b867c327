package regions

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// Visibility tells which controls of a config annotators see, given their answers. It
// follows Label Studio's editor. It is immutable and safe for concurrent use. A nil
// Visibility is that of a config whose controls are always shown.
type Visibility struct {
	controls []labelconfig.Control
	at       map[string]int // by name
}

// NewVisibility returns the visibility of a config's controls, nil when all are always
// shown.
func NewVisibility(controls []labelconfig.Control) *Visibility {
	if !slices.ContainsFunc(controls, func(c labelconfig.Control) bool { return c.Conditional }) {
		return nil
	}
	v := &Visibility{controls: controls, at: make(map[string]int, len(controls))}
	for i, c := range controls {
		v.at[c.Name] = i
	}
	return v
}

// Shown reports whether the annotator who gave these answers saw a control. They do not
// tell which regions were selected meanwhile: what waits for that counts as seen. A
// control that the config does not have was not seen.
func (v *Visibility) Shown(control string, answers []Region) bool {
	if v == nil {
		return true
	}
	i, ok := v.at[control]
	return ok && v.evaluate(answers, false).shown(i)
}

// Hidden names the controls that annotators would not see with these predicted answers,
// of which those of hidden controls are left out. What waits for a selected region is
// hidden unless there is such a region. It is nil when none is hidden.
func (v *Visibility) Hidden(predicted []Region) map[string]bool {
	if v == nil {
		return nil
	}
	e := v.evaluate(predicted, true)
	for i := range v.controls {
		e.shown(i)
	}
	// Conditions that contradict each other in a circle may leave a control shown that
	// the other answers hide. Hiding one more at a time ends.
	for again := true; again; {
		again = false
		for i := range v.controls {
			if e.state[i] == stateShown && !e.allHold(i) {
				e.state[i], again = stateHidden, true
			}
		}
	}
	var hidden map[string]bool
	for i, c := range v.controls {
		if e.state[i] == stateHidden {
			if hidden == nil {
				hidden = map[string]bool{}
			}
			hidden[c.Name] = true
		}
	}
	return hidden
}

// Key changes when answers may show or hide a control otherwise than before: it covers
// the control's conditions and the controls they wait for.
func (v *Visibility) Key(control string) string {
	if v == nil {
		return ""
	}
	var keys []string
	seen := make([]bool, len(v.controls))
	var collectKeys func(name string)
	collectKeys = func(name string) {
		i, ok := v.at[name]
		if !ok || seen[i] {
			return
		}
		seen[i] = true
		keys = append(keys, v.controls[i].Key())
		for _, c := range v.controls[i].Conditions {
			if c.Control != "" {
				collectKeys(c.Control)
				continue
			}
			for _, other := range v.controls {
				collectKeys(other.Name)
			}
		}
	}
	collectKeys(control)
	return labelconfig.HashLists(keys)
}

// The states of a control in an evaluation.
const (
	stateUnknown = iota
	stateEvaluating
	stateShown
	stateHidden
)

// evaluation is which controls some answers show.
type evaluation struct {
	*Visibility
	answers [][]Region // by control
	picked  [][]string // by control, path ids; nil until asked for
	state   []uint8
	// regions is true when what waits for a region needs one among the answers.
	regions bool
}

func (v *Visibility) evaluate(answers []Region, regions bool) *evaluation {
	e := &evaluation{
		Visibility: v, answers: make([][]Region, len(v.controls)), picked: make([][]string, len(v.controls)),
		state: make([]uint8, len(v.controls)), regions: regions,
	}
	for _, r := range answers {
		if i, ok := v.at[r.FromName]; ok && !r.Hint {
			e.answers[i] = append(e.answers[i], r)
		}
	}
	return e
}

// shown evaluates control i. A control whose evaluation waits for i itself sees no answer
// of it.
func (e *evaluation) shown(i int) bool {
	if e.state[i] == stateUnknown {
		e.state[i] = stateEvaluating
		if e.allHold(i) {
			e.state[i] = stateShown
		} else {
			e.state[i] = stateHidden
		}
	}
	return e.state[i] == stateShown
}

func (e *evaluation) allHold(i int) bool {
	for _, c := range e.controls[i].Conditions {
		if !e.holds(c, i) {
			return false
		}
	}
	return true
}

// holds reports whether a condition of control i holds.
func (e *evaluation) holds(c labelconfig.Condition, i int) bool {
	switch c.Trigger {
	case labelconfig.ChoiceSelected:
		return e.chosen(c, i)
	case labelconfig.ChoiceUnselected:
		return !e.chosen(c, i)
	case labelconfig.RegionSelected:
		return !e.regions || e.marked(c, i)
	}
	return true
}

// chosen reports whether a control that is shown has the choice that c waits for.
func (e *evaluation) chosen(c labelconfig.Condition, i int) bool {
	if c.Control != "" {
		at, ok := e.at[c.Control]
		return ok && at != i && isChoice(e.controls[at]) && e.choiceIn(at, c.Values)
	}
	for at, other := range e.controls {
		// Without a value the editor looks at Choices alone.
		if at != i && (other.Type == labelconfig.TypeChoices || c.Values != nil && isChoice(other)) && e.choiceIn(at, c.Values) {
			return true
		}
	}
	return false
}

func isChoice(c labelconfig.Control) bool {
	return c.Type == labelconfig.TypeChoices || c.Type == labelconfig.TypeTaxonomy
}

// choiceIn reports whether one of the values, or any when there are none, is chosen in
// control i, and that is shown.
func (e *evaluation) choiceIn(i int, values []string) bool {
	if e.picked[i] == nil {
		e.picked[i] = pickedPaths(e.controls[i], e.answers[i])
	}
	picked := e.picked[i]
	if len(picked) == 0 || !e.shown(i) {
		return false
	}
	return len(values) == 0 || slices.ContainsFunc(values, func(v string) bool { return choosesValue(e.controls[i], picked, v) })
}

// marked reports whether there is a region that c waits for, of a control that is shown.
func (e *evaluation) marked(c labelconfig.Condition, i int) bool {
	if c.Role != "" {
		return false // a chat message, of which nothing is predicted
	}
	for at, other := range e.controls {
		if at == i || c.Control != "" && other.Name != c.Control || !strings.HasSuffix(strings.ToLower(other.Type), "labels") {
			continue
		}
		found := slices.ContainsFunc(e.answers[at], func(r Region) bool {
			return len(c.Values) == 0 || slices.ContainsFunc(markedLabels(r), func(l string) bool { return slices.Contains(c.Values, l) })
		})
		if found && e.shown(at) {
			return true
		}
	}
	return false
}

// markedLabels are the labels of a region, as the result spells them.
func markedLabels(r Region) []string {
	var fields map[string]json.RawMessage
	if jsonscan.KindOf(r.Value) != jsonscan.Object || json.Unmarshal(r.Value, &fields) != nil {
		return nil
	}
	raw, ok := fields[strings.ToLower(r.Type)]
	if !ok {
		raw = fields["labels"]
	}
	labels, _ := choicePaths(raw)
	return labels
}

// pickedPaths are the path ids that the last region of a Choices or a Taxonomy chooses,
// but for those that the control does not have. The result is never nil.
func pickedPaths(c labelconfig.Control, answers []Region) []string {
	out := []string{}
	for _, r := range answers {
		raw, _ := field(r.Value, codecOf(c).key)
		paths, ok := codecOf(c).read(raw)
		if !ok {
			continue
		}
		out = out[:0]
		for _, id := range paths {
			switch i := labelAt(c, id); {
			case i >= 0:
				out = append(out, labelconfig.PathID(c.Labels[i].Path))
			case c.Dynamic || hasDescendant(c, id):
				out = append(out, id)
			}
		}
	}
	return out
}

// choosesValue reports whether the picked paths include the choice that a config means by
// its value or its alias: the first such choice there is.
func choosesValue(c labelconfig.Control, picked []string, value string) bool {
	for _, l := range c.Labels {
		if l.Value == value || l.Alias == value && value != "" {
			return slices.Contains(picked, labelconfig.PathID(l.Path)) || c.Type == labelconfig.TypeTaxonomy && containsLeaf(picked, lastOf(l.Path))
		}
	}
	if c.Type == labelconfig.TypeChoices && c.Nested && allBelow(c, picked, value) {
		return true
	}
	return containsLeaf(picked, value)
}

func lastOf(path []string) string { return path[len(path)-1] }

// containsLeaf reports whether a picked path ends with the choice.
func containsLeaf(picked []string, leaf string) bool {
	return slices.ContainsFunc(picked, func(id string) bool { return id[strings.LastIndexByte(id, 0)+1:] == leaf })
}

// allBelow reports whether there are choices below the one of that name, and all of them
// are picked, which is how such a choice is chosen.
func allBelow(c labelconfig.Control, picked []string, parent string) bool {
	some := false
	for _, l := range c.Labels {
		if slices.Contains(l.Path[:len(l.Path)-1], parent) {
			some = true
			if !slices.Contains(picked, labelconfig.PathID(l.Path)) {
				return false
			}
		}
	}
	return some
}
