package labelconfig

import (
	"slices"
	"strconv"
	"strings"
)

// Trigger is what a condition waits for.
type Trigger int

// The triggers. Label Studio's "no-region-selected" is none: it holds whenever
// annotators have not selected a region.
const (
	// ChoiceSelected: a label of a Choices or a Taxonomy is chosen.
	ChoiceSelected Trigger = iota + 1
	// ChoiceUnselected: it is not.
	ChoiceUnselected
	// RegionSelected: a region is selected, so there must be one.
	RegionSelected
)

// Condition is one that an annotator's other answers must fulfil for a tag to be
// shown, as Label Studio's editor reads visibleWhen (version 1.23). Values are compared
// as written: no space around a comma is cut off.
type Condition struct {
	Trigger Trigger
	// Control is the control whose answer matters (whenTagName), "" for any.
	Control string
	// Values are the choices or labels of which one is enough, nil for any.
	Values []string
	// Role is the role of a chat message that the region must mark, "" for none.
	Role string
}

// The values of visibleWhen that are conditions. The editor compares them by case and
// passes over any other.
var triggers = map[string]Trigger{
	"choice-selected": ChoiceSelected, "choice-unselected": ChoiceUnselected, "region-selected": RegionSelected,
}

// conditional reports whether a tag reads visibleWhen: others that have it are shown
// always. Controls of other types can only be hidden by a View around them.
func conditional(kind string) bool {
	return slices.ContainsFunc([]string{"View", TypeChoices, TypeTaxonomy, "TextArea"}, func(known string) bool {
		return strings.EqualFold(kind, known)
	})
}

// conditionOf reads the condition in a tag's attributes; ok is false without one.
func conditionOf(kind string, attrs map[string]string) (c Condition, ok bool) {
	if !conditional(kind) {
		return Condition{}, false
	}
	when, choice := attrs["visiblewhen"], attrs["whenchoicevalue"]
	if when == "" {
		// By itself whenChoiceValue is one choice, not a list, of whichever control.
		if choice == "" {
			return Condition{}, false
		}
		return Condition{Trigger: ChoiceSelected, Values: []string{choice}}, true
	}
	c = Condition{Trigger: triggers[when], Control: attrs["whentagname"]}
	switch c.Trigger {
	case RegionSelected:
		if labels := attrs["whenlabelvalue"]; labels != "" {
			c.Values = strings.Split(labels, ",")
		} else {
			c.Role = attrs["whenrole"]
		}
	case ChoiceSelected, ChoiceUnselected:
		// Without a control the editor asks for any choice and passes over the value.
		if c.Control != "" && choice != "" {
			c.Values = strings.Split(choice, ",")
		}
	}
	return c, c.Trigger != 0
}

// Revealed reports whether a finished annotation tells if the control was shown: whether
// a region was selected at some time it does not tell.
func (c Control) Revealed() bool {
	return !slices.ContainsFunc(c.Conditions, func(c Condition) bool { return c.Trigger == RegionSelected })
}

// lists are what makes a condition another one.
func (c Condition) lists() [][]string {
	return [][]string{{strconv.Itoa(int(c.Trigger)), c.Control, c.Role}, c.Values}
}
