package head

import (
	"strings"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// Answer is the form of a control's answers.
type Answer int

// The forms of answers.
const (
	// AnswerLabels: one or several of the control's labels.
	AnswerLabels Answer = iota
	// AnswerPaths: one or several paths in a tree of labels.
	AnswerPaths
	// AnswerStep: one step of a scale.
	AnswerStep
	// AnswerNumber: a number.
	AnswerNumber
	// AnswerSide: the better one of two objects.
	AnswerSide
	// AnswerSpans: stretches of text, each with a label.
	AnswerSpans
)

// Numeric reports whether two answers are near to each other or far apart.
func (a Answer) Numeric() bool { return a == AnswerStep || a == AnswerNumber }

// Named reports whether answers consist of labels that the author of the config named.
func (a Answer) Named() bool {
	return a == AnswerLabels || a == AnswerPaths || a == AnswerSpans
}

// controlTag is a type of control that hone learns.
type controlTag struct {
	name   string
	answer Answer
	kind   Kind
}

// controlTags is the only list of what hone learns, in the order in which people are
// told of it.
var controlTags = []controlTag{
	{labelconfig.TypeChoices, AnswerLabels, choices{}},
	{labelconfig.TypeTaxonomy, AnswerPaths, taxonomy{}},
	{labelconfig.TypeRating, AnswerStep, rating{}},
	{labelconfig.TypeNumber, AnswerNumber, number{}},
	{labelconfig.TypePairwise, AnswerSide, pairwise{}},
	{labelconfig.TypeLabels, AnswerSpans, spans{}},
	{labelconfig.TypeHyperTextLabels, AnswerSpans, spans{}},
	{labelconfig.TypeParagraphLabels, AnswerSpans, spans{}},
}

func tagOf(name string) (controlTag, bool) {
	for _, t := range controlTags {
		if t.name == name {
			return t, true
		}
	}
	return controlTag{}, false
}

// tagNames lists them for people.
func tagNames() string {
	tags := make([]string, len(controlTags))
	for i, t := range controlTags {
		tags[i] = "<" + t.name + ">"
	}
	return strings.Join(tags[:len(tags)-1], ", ") + " and " + tags[len(tags)-1]
}
