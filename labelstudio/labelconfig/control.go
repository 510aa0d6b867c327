package labelconfig

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Control is a control tag: one question of the label config.
type Control struct {
	// Name is unique in the config; results carry it as from_name.
	Name string
	// Type is the tag, such as "Choices".
	Type string
	// ToName are the object tags it is about.
	ToName []string
	// Multiple is true when several labels may hold at once.
	Multiple bool
	// Required is true when the interface refuses a submit without an answer.
	Required bool
	// PerRegion is true when it is asked of each region (or item) and not of the
	// task.
	PerRegion bool
	// Conditional is true when it is only shown after certain other answers; an
	// annotation without it then says nothing, unless the control is known to have been
	// shown.
	Conditional bool
	// Conditions are those of the control and of the tags around it; it is shown when
	// all of them hold. There are some if and only if it is Conditional.
	Conditions []Condition
	// Nested is true when results carry a path of labels for each choice
	// (allowNested="true", and every Taxonomy).
	Nested bool
	// MaxUsages is how many labels an answer may have at most; 0 for any number.
	MaxUsages int
	// Labels in document order, without doubles; of a Rating "1", "2" and so on,
	// of a Pairwise "left" and "right".
	Labels []Label
	// Numbers are what a Number takes as an answer.
	Numbers Range
	// Attrs are all attributes as written.
	Attrs map[string]string
	// Repeated is true when it stands in a Repeater: one control per item of the data.
	Repeated bool
	// Dynamic is true when its labels come from the task data.
	Dynamic bool

	leavesOnly bool // a taxonomy whose inner nodes cannot be chosen
}

// Label is one of a control's labels.
type Label struct {
	// Name tells the labels of one control apart and is what hone's models and
	// reports call the label: the value, or what results carry where two labels
	// show the same value.
	Name string
	// Value is what annotators read.
	Value string
	// Alias, when set, is what results carry in place of the value.
	Alias string
	// Hint is the tooltip, a description for annotators.
	Hint string
	// Path is what results carry for the label: one element, or from the
	// topmost choice to this one when the control is Nested.
	Path []string
}

// LabelNames are the names of the labels, in order.
func (c Control) LabelNames() []string {
	out := make([]string, len(c.Labels))
	for i, l := range c.Labels {
		out[i] = l.Name
	}
	return out
}

// Key changes when the head of the control must be another one: its name, type,
// targets, multiplicity, when it is shown, or its labels and what is known of their
// meaning.
func (c Control) Key() string {
	lists := [][]string{
		{
			c.Name, c.Type, strconv.FormatBool(c.Multiple), strconv.FormatBool(c.Nested),
			strconv.FormatBool(c.Required), strconv.FormatBool(c.Conditional), strconv.Itoa(c.MaxUsages), c.Numbers.key(),
		},
		c.ToName,
	}
	for _, l := range c.Labels {
		lists = append(lists, []string{l.Name, l.Value, l.Alias, l.Hint}, l.Path)
	}
	for _, when := range c.Conditions {
		lists = append(lists, when.lists()...)
	}
	return HashLists(lists...)
}

// The types of controls that have a constant. Their tags may be written in any case.
const (
	TypeChoices         = "Choices"
	TypeTaxonomy        = "Taxonomy"
	TypeRating          = "Rating"
	TypeNumber          = "Number"
	TypePairwise        = "Pairwise"
	TypeLabels          = "Labels"
	TypeHyperTextLabels = "HyperTextLabels"
	TypeParagraphLabels = "ParagraphLabels"
)

// MayBeEmpty reports whether an annotation without an answer says "none of
// them". A tree of choices that nobody opened says nothing, unlike a row of boxes
// that nobody ticked.
func (c Control) MayBeEmpty() bool {
	return c.Type == TypeChoices && c.Multiple && !c.Conditional && !c.Required
}

// HashLists hashes lists of strings so that no two different lists of lists have the same
// hash by their form.
func HashLists(lists ...[]string) string {
	h := xxhash.New()
	for _, parts := range lists {
		// A hash never fails to be written to.
		_, _ = fmt.Fprintf(h, "%d(", len(parts))
		for _, p := range parts {
			_, _ = fmt.Fprintf(h, "%d:%s", len(p), p)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
