package labelconfig

import (
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

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
	// annotation without it then says nothing.
	Conditional bool
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
	// Unlearnable says why hone leaves the control alone, as the end of a
	// sentence that starts with the tag; empty when it learns it.
	Unlearnable string

	repeated   bool // stands in a Repeater: one control per item of the data
	dynamic    bool // its labels come from the task data
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
// targets, multiplicity, or its labels and what is known of their meaning.
func (c Control) Key() string {
	var k keyWriter
	k.add(c.Name, c.Type, strconv.FormatBool(c.Multiple), strconv.FormatBool(c.Nested),
		strconv.FormatBool(c.Required), strconv.FormatBool(c.Conditional), strconv.Itoa(c.MaxUsages), c.Numbers.key())
	k.add(c.ToName...)
	for _, l := range c.Labels {
		k.add(l.Name, l.Value, l.Alias, l.Hint)
		k.add(l.Path...)
	}
	return k.sum()
}

// The control tags that hone learns.
const (
	TypeChoices  = "Choices"
	TypeTaxonomy = "Taxonomy"
	TypeRating   = "Rating"
	TypeNumber   = "Number"
	TypePairwise = "Pairwise"
)

var learnedTypes = append([]string{TypeChoices, TypeTaxonomy, TypeRating, TypeNumber, TypePairwise}, spanTypes...)

// notLearned are tags that hone leaves alone on purpose, with the reason.
var notLearned = map[string]string{
	"TextArea": "asks for text in the annotator's own words, which hone does not write",
	"Ranker":   "asks for an order of many items, which hone does not learn",
	"DateTime": "asks for a date or a time, which hone does not learn",
}

// learnedTags lists them for people.
func learnedTags() string {
	tags := make([]string, len(learnedTypes))
	for i, t := range learnedTypes {
		tags[i] = "<" + t + ">"
	}
	return strings.Join(tags[:len(tags)-1], ", ") + " and " + tags[len(tags)-1]
}

// spanTypes are the tags of controls that label spans.
var spanTypes = []string{"Labels", "HyperTextLabels", "ParagraphLabels"}

// LabelsSpans reports whether the control labels stretches of text.
func (c Control) LabelsSpans() bool { return slices.Contains(spanTypes, c.Type) }

// MayBeEmpty reports whether an annotation without an answer says "none of
// them". A tree of choices that nobody opened says nothing, unlike a row of boxes
// that nobody ticked.
func (c Control) MayBeEmpty() bool {
	return c.Type == TypeChoices && c.Multiple && !c.Conditional && !c.Required
}

// judge says why a control cannot be learned, given the objects of its config.
func (c *Control) judge(cfg *Config) string {
	switch {
	case !slices.Contains(learnedTypes, c.Type):
		for tag, why := range notLearned {
			if strings.EqualFold(c.Type, tag) {
				return why
			}
		}
		return "is a kind of tag hone does not learn yet"
	case c.PerRegion:
		return "is asked per region, which hone does not learn yet"
	case c.repeated:
		return "stands in a <Repeater>, which hone does not learn yet"
	case c.dynamic:
		return "takes its choices from the task data, so that they differ from task to task"
	case c.Type == TypeNumber:
		if why := c.Numbers.fault(); why != "" {
			return why
		}
	case c.Type == TypeRating:
		if why := c.ratingFault(); why != "" {
			return why
		}
	case len(c.Labels) == 0 && c.LabelsSpans():
		return "has no <Label>"
	case len(c.Labels) == 0:
		return "has no <Choice>"
	case len(c.Labels) == 1 && !c.LabelsSpans() && !(c.Multiple && c.MayBeEmpty()):
		return "has a single <Choice>, so there is nothing to choose"
	}
	if len(c.ToName) == 0 {
		return "names no object tag in its toName"
	}
	if c.Type == TypePairwise && (len(c.ToName) != 2 || c.ToName[0] == c.ToName[1]) {
		return fmt.Sprintf("compares two object tags, and its toName=%q names other than two", strings.Join(c.ToName, ","))
	}
	if n := len(cfg.Targets(*c)); n > 1 || n == 1 && c.Type != TypePairwise {
		return ""
	}
	var why []string
	for _, name := range c.ToName {
		o, ok := cfg.Object(name)
		if !ok {
			why = append(why, fmt.Sprintf("names toName=%q, which no object tag is called", name))
			continue
		}
		if o.Unreadable == "" {
			continue
		}
		why = append(why, fmt.Sprintf("is about <%s name=%q>, which %s", o.Type, o.Name, o.Unreadable))
	}
	return strings.Join(why, " and ")
}

// keyWriter hashes lists of strings so that no two different lists read alike.
type keyWriter struct{ h hash.Hash64 }

func (k *keyWriter) add(parts ...string) {
	if k.h == nil {
		k.h = xxhash.New()
	}
	// A hash never fails to be written to.
	_, _ = fmt.Fprintf(k.h, "%d(", len(parts))
	for _, p := range parts {
		_, _ = fmt.Fprintf(k.h, "%d:%s", len(p), p)
	}
}

func (k *keyWriter) sum() string {
	if k.h == nil {
		k.h = xxhash.New()
	}
	return hex.EncodeToString(k.h.Sum(nil))
}
