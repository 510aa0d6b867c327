package labelstudio

import (
	"encoding/hex"
	"fmt"
	"hash"
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
	// (allowNested="true").
	Nested bool
	// Labels in document order, without doubles.
	Labels []Label
	// Attrs are all attributes as written.
	Attrs map[string]string
	// Unlearnable says why hone leaves the control alone, as the end of a
	// sentence that starts with the tag; empty when it learns it.
	Unlearnable string

	repeated bool // stands in a Repeater: one control per item of the data
	dynamic  bool // its labels come from the task data
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
		strconv.FormatBool(c.Required), strconv.FormatBool(c.Conditional))
	k.add(c.ToName...)
	for _, l := range c.Labels {
		k.add(l.Name, l.Value, l.Alias, l.Hint)
		k.add(l.Path...)
	}
	return k.sum()
}

// judge says why a control cannot be learned, given the objects of its config.
func (c *Control) judge(cfg *Config) string {
	switch {
	case !strings.EqualFold(c.Type, "Choices"):
		return "is a kind of tag hone does not learn yet"
	case c.PerRegion:
		return "is asked per region, which hone does not learn yet"
	case c.repeated:
		return "stands in a <Repeater>, which hone does not learn yet"
	case c.dynamic:
		return "takes its choices from the task data, so that they differ from task to task"
	case len(c.Labels) == 0:
		return "has no <Choice>"
	case len(c.Labels) == 1 && !c.Multiple:
		return "has a single <Choice>, so there is nothing to choose"
	}
	if len(c.ToName) == 0 {
		return "names no object tag in its toName"
	}
	if len(cfg.Targets(*c)) > 0 {
		return ""
	}
	var why []string
	for _, name := range c.ToName {
		o, ok := cfg.Object(name)
		if !ok {
			why = append(why, fmt.Sprintf("names toName=%q, which no object tag is called", name))
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
