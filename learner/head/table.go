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
	// refuse says why nothing can be learned of what a control asks, as the end of a
	// sentence that starts with the tag; empty when something can. nil never refuses.
	refuse func(labelconfig.Control) string
}

// controlTags is the only list of what hone learns, in the order in which people are
// told of it.
var controlTags = []controlTag{
	{labelconfig.TypeChoices, AnswerLabels, choices{}, tooFewChoices},
	{labelconfig.TypeTaxonomy, AnswerPaths, taxonomy{}, tooFewChoices},
	{labelconfig.TypeRating, AnswerStep, rating{}, withoutSteps},
	{labelconfig.TypeNumber, AnswerNumber, number{}, withoutNumbers},
	{labelconfig.TypePairwise, AnswerSide, pairwise{}, nil},
	{labelconfig.TypeLabels, AnswerSpans, spans{}, withoutLabels},
	{labelconfig.TypeHyperTextLabels, AnswerSpans, spans{}, withoutLabels},
	{labelconfig.TypeParagraphLabels, AnswerSpans, spans{}, withoutLabels},
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
