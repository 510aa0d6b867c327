package head

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// notLearned are tags that hone leaves alone on purpose, with the reason.
var notLearned = map[string]string{
	"TextArea": "asks for text in the annotator's own words, which hone does not write",
	"Ranker":   "asks for an order of many items, which hone does not learn",
	"DateTime": "asks for a date or a time, which hone does not learn",
}

// unknown says why a tag without a kind is not learned.
func unknown(tag string) string {
	for name, why := range notLearned {
		if strings.EqualFold(tag, name) {
			return why
		}
	}
	return "is a kind of tag hone does not learn yet"
}

// unanswerable says why nothing can be learned of a control's answers, whatever it is
// about; empty when something can.
func unanswerable(c labelconfig.Control, t controlTag) string {
	switch {
	case c.PerRegion:
		return "is asked per region, which hone does not learn yet"
	case c.Repeated:
		return "stands in a <Repeater>, which hone does not learn yet"
	case c.Dynamic:
		return "takes its choices from the task data, so that they differ from task to task"
	case t.refuse != nil:
		return t.refuse(c)
	}
	return ""
}

// tooFewChoices says why labels leave nothing to choose, empty when they do not.
func tooFewChoices(c labelconfig.Control) string {
	switch {
	case len(c.Labels) == 0:
		return "has no <Choice>"
	case len(c.Labels) == 1 && !mayBeEmpty(c):
		return "has a single <Choice>, so there is nothing to choose"
	}
	return ""
}

// mayBeEmpty reports whether one of the annotations that show the control may say "none".
func mayBeEmpty(c labelconfig.Control) bool {
	c.Conditional = c.Conditional && !c.Revealed()
	return c.Multiple && c.MayBeEmpty()
}

// withoutLabels says why spans have no label, empty when they have one.
func withoutLabels(c labelconfig.Control) string {
	if len(c.Labels) == 0 {
		return "has no <Label>"
	}
	return ""
}

// withoutNumbers says why a range leaves nothing to ask, empty when it does not.
func withoutNumbers(c labelconfig.Control) string {
	r := c.Numbers
	if w, ok := r.Width(); ok && !(w > 0) {
		return fmt.Sprintf("takes no number but one: its min is %g and its max %g", *r.Min, *r.Max)
	}
	return ""
}

// withoutSteps says why a Rating has no scale, empty when it has one.
func withoutSteps(c labelconfig.Control) string {
	if len(c.Labels) > 1 {
		return ""
	}
	most := ""
	for name, v := range c.Attrs {
		if strings.EqualFold(name, "maxRating") {
			most = v
		}
	}
	return fmt.Sprintf("has maxRating=%q, which is not a number from 2 to %d", most, labelconfig.MaxRating)
}

// unread says why hone cannot read what a control is about, of which it can read so many
// object tags; empty when it can.
func unread(c labelconfig.Control, a Answer, objects []labelconfig.Object, readable int) string {
	if len(c.ToName) == 0 {
		return "names no object tag in its toName"
	}
	if a == AnswerSide && (len(c.ToName) != 2 || c.ToName[0] == c.ToName[1]) {
		return fmt.Sprintf("compares two object tags, and its toName=%q names other than two", strings.Join(c.ToName, ","))
	}
	if readable > 1 || readable == 1 && a != AnswerSide {
		return ""
	}
	var why []string
	for _, name := range c.ToName {
		at := slices.IndexFunc(objects, func(o labelconfig.Object) bool { return o.Name == name })
		if at < 0 {
			why = append(why, fmt.Sprintf("names toName=%q, which no object tag is called", name))
			continue
		}
		o := objects[at]
		if fault := content.Unreadable(o); fault != "" {
			why = append(why, fmt.Sprintf("is about <%s name=%q>, which %s", o.Type, o.Name, fault))
		}
	}
	return strings.Join(why, " and ")
}
