// Package report says how a project stands: what status tells of it, and the metrics.
package report

import (
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/counts"
	"github.com/hone-ml/hone/learner/head"
)

// Status describes a project as of its last snapshot.
type Status struct {
	Project event.ProjectID `json:"project"`
	// Labels is the number of annotations that some head learned from.
	Labels int `json:"labels"`
	// Version is the name of the live version, "" before there is one.
	Version string `json:"model_version"`
	// Snapshot is the number of the snapshot. It rises by one with each, also over restarts.
	Snapshot uint64 `json:"snapshot"`
	// OptimalityGap is the most by which any probability can differ from that of
	// training from scratch on the same labels; null while it is not known.
	OptimalityGap *float64 `json:"optimality_gap"`
	// Settled is true when the models are at their optimum, and the settings are those that
	// the labels lead to, or pinned by a rollback, and no retrain is due.
	Settled bool `json:"settled"`
	// Announced is the number of the last snapshot that has a Learned, 0 if none has had one
	// since the project was loaded.
	Announced uint64 `json:"-"`
	// VectorsMissing is true while a slow encoder lacks vectors of labelled texts or of label
	// names. It is kept up to date only while Settled is true.
	VectorsMissing bool   `json:"vectors_missing,omitempty"`
	Heads          []Head `json:"heads"`
	// Unlearnable lists the controls that hone does not learn, with the reasons.
	Unlearnable []Unlearnable `json:"unlearnable,omitempty"`
	// Refused lists answers that could not be learned: the first 20 of RefusedCount.
	Refused      []counts.Refused `json:"refused,omitempty"`
	RefusedCount int              `json:"refused_count,omitempty"`
	// Annotations and Suggestions count what became of them. NoText and IdenticalPairs
	// count tasks with annotations whose data lack a text, or a difference.
	Annotations    counts.Annotations `json:"annotations"`
	Suggestions    counts.Suggestions `json:"suggestions"`
	NoText         int                `json:"no_text,omitempty"`
	IdenticalPairs int                `json:"identical_pairs,omitempty"`
	// Fault says why nothing can be learned under the label config, "" when something can.
	Fault string `json:"fault,omitempty"`
	// SettingsHeld is true when a rollback has pinned the settings: labels do not change them
	// until a person requests a retrain.
	SettingsHeld bool `json:"settings_held,omitempty"`
	// Retrain describes the full retrain that is waiting or running, nil if none is.
	Retrain *Retrain `json:"retrain,omitempty"`
	// LastRetrain describes the last one that ended since the start, nil if none has.
	LastRetrain *LastRetrain `json:"last_retrain,omitempty"`
	// Adapted says to which labels the encoder has adapted, nil where it has not and does not.
	Adapted *Adapted `json:"adapted,omitempty"`
	// Encoding describes the progress of the slow encoders of the project, nil without any.
	Encoding *Encoding `json:"encoding,omitempty"`
}

// Adapted says to which labels an encoder has adapted.
type Adapted struct {
	// Control is the control whose labels they are, and Labels how many: 0 before the first time.
	Control string `json:"control"`
	Labels  int    `json:"labels"`
	// At is when it was trained, zero before the first time.
	At time.Time `json:"at,omitzero"`
	// Accuracy is the cross-validated accuracy on these labels, and Without that of a model that
	// reads the encoder as it was only.
	Accuracy float64 `json:"accuracy,omitempty"`
	Without  float64 `json:"accuracy_without,omitempty"`
	// Next is how many labels it is adapting to now, 0 for none.
	Next int `json:"next,omitempty"`
}

// LastRetrain is a full retrain that has ended.
type LastRetrain struct {
	At time.Time `json:"at"`
	// Outcome is a sentence that says how it ended.
	Outcome string `json:"outcome"`
}

// Head describes one learned control. The scores are of predictions that were made just before
// each task was learned: of about the last 50 tasks, and with the suffix Overall of all tasks.
// Accuracy is the share of tasks whose answer was predicted exactly. A Number need only be
// near: within a step or a tenth of its range, or if it has no range within half a standard
// deviation of the answers. ECE is the expected calibration error in 15 bins. MAE and RMSE are
// the mean absolute error and the root of the mean squared error.
type Head struct {
	Control  string   `json:"control"`
	Type     string   `json:"type"`
	Multiple bool     `json:"multiple,omitempty"`
	Labels   []string `json:"labels"`
	Examples int      `json:"examples"`
	Ridge    float64  `json:"ridge"`

	// Tested is the number of tasks in the overall scores.
	Tested          int     `json:"tested"`
	Accuracy        float64 `json:"accuracy"`
	MacroF1         float64 `json:"macro_f1"`
	LogLoss         float64 `json:"log_loss"`
	ECE             float64 `json:"ece"`
	MAE             float64 `json:"mae"`
	RMSE            float64 `json:"rmse"`
	AccuracyOverall float64 `json:"accuracy_overall"`
	MacroF1Overall  float64 `json:"macro_f1_overall"`
	LogLossOverall  float64 `json:"log_loss_overall"`
	ECEOverall      float64 `json:"ece_overall"`
	MAEOverall      float64 `json:"mae_overall"`
	RMSEOverall     float64 `json:"rmse_overall"`
	// Numeric is true when answers have a distance, so that MAE and RMSE are defined. Labelled
	// is true when answers are labels, so that MacroF1 and LogLoss are.
	Numeric  bool `json:"numeric,omitempty"`
	Labelled bool `json:"labelled,omitempty"`

	// Silent lists the labels that the settings keep from annotators now. SuggestsNothing is
	// true when nothing of the head is suggested. Precision holds that of each label in the
	// recent scores, where suggestions depend on it.
	Silent          []string           `json:"silent,omitempty"`
	SuggestsNothing bool               `json:"suggests_nothing,omitempty"`
	Precision       map[string]float64 `json:"precision,omitempty"`

	// Meanings are what says what the labels mean, in their order; none where the kind of
	// control reads none.
	Meanings []head.Meaning `json:"-"`
}

// Unlearnable is a control that hone does not learn, and why.
type Unlearnable struct {
	Control string `json:"control"`
	Type    string `json:"type"`
	Reason  string `json:"reason"`
}

// Retrain describes the progress of a full retrain.
type Retrain struct {
	Reason string `json:"reason"`
	// Progress is the share that is done, 0 to 1.
	Progress float64 `json:"progress"`
	// Waiting is a sentence that says what it waits for, "" when it is running. Again is true
	// when it was done without that, and waits to be repeated.
	Waiting string `json:"waiting,omitempty"`
	Again   bool   `json:"again,omitempty"`
}

// Encoding says how much of a project the slow encoders have encoded.
type Encoding struct {
	// Encoder is the names of the encoders, with + between them.
	Encoder string `json:"encoder"`
	// Tasks is the number of tasks, Encoded the number of those that lack no vector of the
	// encoder that is furthest behind.
	Tasks   int `json:"tasks"`
	Encoded int `json:"encoded"`
	// Done is true when nothing is left to do.
	Done bool `json:"done"`
	// PerSecond is the recent number of texts encoded a second, by all encoders; 0 before the
	// first.
	PerSecond float64 `json:"per_second"`
	// Fault says why encoders fail, "" when none does. It has the encoders' names if there are
	// several.
	Fault string `json:"fault,omitempty"`
}
