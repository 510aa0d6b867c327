// Package settings is the one table of what can be set for a single project: each key
// with its type, default, meaning and validation. What was set is kept as text by key;
// Table.Values turns it into values. A new setting is a row of the table and a field of
// Values.
package settings

import (
	"slices"

	"github.com/hone-ml/hone/event"
)

// Values are the settings of one project that are in force. They are immutable once made:
// the lists are shared.
type Values struct {
	Ranking    Ranking
	Suggesting Suggesting
	Learning   Learning
	// Encoder is the name of the one by which texts are read, or DefaultEncoder.
	Encoder string
	// Adapt is AdaptAuto or AdaptOff.
	Adapt string
	// Connection is one of the Connection constants.
	Connection string
	// Descriptions say what labels mean.
	Descriptions Descriptions
}

// DefaultEncoder is the value of Values.Encoder that stands for the encoder of the
// configuration.
const DefaultEncoder = "default"

// The values of Values.Adapt.
const (
	// AdaptAuto has a transformer adapt to the labels of the project, if its encoder reads that one.
	AdaptAuto = "auto"
	AdaptOff  = "off"
)

// The values of Values.Connection.
const (
	// ConnectionWebhook: Label Studio calls hone.
	ConnectionWebhook = "webhook"
	// ConnectionPoll: hone reads the changes, and Label Studio need not reach it.
	ConnectionPoll = "poll"
)

// Ranking is what to ask next.
type Ranking struct {
	// Strategy is the name of one.
	Strategy string
	// Queue is how many tasks are kept in the queue, from 1.
	Queue int
	// RandomShare is the share of random tasks among those asked, 0 to 1.
	RandomShare float64
	// Odds is set when each task is drawn with a known probability.
	Odds bool
}

// The values of Suggesting.Mode.
const (
	// SuggestAlways suggests whatever the model says.
	SuggestAlways = "on"
	// SuggestNever suggests nothing.
	SuggestNever = "off"
	// SuggestPrecise suggests a label once its precision has reached the bar.
	SuggestPrecise = "precise"
)

// Suggesting is what annotators are shown of the model's answers.
type Suggesting struct {
	// Mode is one of the Suggest constants.
	Mode string
	// Precision is the bar of SuggestPrecise, above 0 to 1.
	Precision float64
	// Off are controls, and labels as control/label, that are never suggested.
	Off []string
	// Threshold is the probability from which a label is suggested where several may hold,
	// between 0 and 1.
	Threshold float64
}

// Hides reports whether a control as a whole is never suggested.
func (s Suggesting) Hides(control string) bool {
	return s.Mode == SuggestNever || slices.Contains(s.Off, control)
}

// HidesLabel reports whether a label of a control is never suggested.
func (s Suggesting) HidesLabel(control, label string) bool {
	return len(s.Off) > 0 && slices.Contains(s.Off, control+"/"+label)
}

// Learning is whose annotations are learned from.
type Learning struct {
	// Users are the only annotators learned from; empty: all.
	Users []event.UserID
	// An annotation is in one of three states: skipped, ground truth and not skipped, or
	// submitted otherwise. Those that are true are learned from.
	Submitted, GroundTruth, Skipped bool
}

// Takes reports whether an annotation is learned from. One that no person looked at never
// is.
func (l Learning) Takes(a event.Annotation) bool {
	if a.Unattended() || len(l.Users) > 0 && !slices.Contains(l.Users, a.CompletedBy) {
		return false
	}
	switch {
	case a.Cancelled:
		return l.Skipped
	case a.GroundTruth:
		return l.GroundTruth
	}
	return l.Submitted
}

// Same reports whether two of them take the same annotations.
func (l Learning) Same(other Learning) bool {
	return slices.Equal(l.Users, other.Users) && l.Submitted == other.Submitted && l.GroundTruth == other.GroundTruth && l.Skipped == other.Skipped
}

// DefaultSuggesting suggests everything.
func DefaultSuggesting() Suggesting {
	// A threshold below a half, because a missing label costs an annotator more than a
	// wrong one (ADR 18).
	return Suggesting{Mode: SuggestAlways, Precision: 0.8, Threshold: 0.4}
}

// DefaultLearning learns from everybody's annotations that were not skipped.
func DefaultLearning() Learning { return Learning{Submitted: true, GroundTruth: true} }
