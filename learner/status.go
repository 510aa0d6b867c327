package learner

import (
	"math"
	"slices"
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

func (l *Learner) status(p *project, heads []headSnapshot) Status {
	selecting := l.runsForSettings(p.meta.Project)
	s := Status{
		Project: p.meta.Project, Labels: p.labels(), Version: p.version(), Snapshot: p.sequence,
		Settled: p.settled && !selecting && p.pending == nil, Announced: p.announced, Fault: p.fault, Heads: []Head{}, SettingsHeld: p.settingsPinned(),
		Annotations: p.counts.Annotations, Suggestions: p.counts.Suggestions, NoText: p.counts.NoText, IdenticalPairs: p.counts.IdenticalPairs,
	}
	if s.Settled && p.features.Slow() != 0 {
		_, _, missing := l.missingVectors(p)
		s.VectorsMissing = missing != 0
	}
	if p.adapted != nil {
		s.Adapted = &Adapted{Control: p.adapted.Control, Labels: p.adapted.Labels, At: p.adapted.At, Accuracy: p.adapted.Accuracy, Without: p.adapted.Without}
	}
	s.Refused, s.RefusedCount = p.refused.List()
	gap := 0.0
	for i, h := range p.heads {
		gap = max(gap, h.model.Bound())
		pr := h.progress
		s.Heads = append(s.Heads, Head{
			Control: h.Control.Name, Type: h.Control.Type, Multiple: h.Control.Multiple,
			Labels: h.Labels, Examples: h.model.Len(), Ridge: h.model.Settings().Ridge,
			Tested: int(math.Round(pr.Cumulative.Tasks)), Accuracy: pr.Recent.Accuracy(), MacroF1: pr.Recent.MacroF1(), LogLoss: pr.Recent.MeanLogLoss(),
			ECE: pr.Recent.ECE(), MAE: pr.Recent.MAE(), RMSE: pr.Recent.RMSE(),
			AccuracyOverall: pr.Cumulative.Accuracy(), MacroF1Overall: pr.Cumulative.MacroF1(), LogLossOverall: pr.Cumulative.MeanLogLoss(),
			ECEOverall: pr.Cumulative.ECE(), MAEOverall: pr.Cumulative.MAE(), RMSEOverall: pr.Cumulative.RMSE(),
			Numeric: h.Answer.Numeric(), Labelled: len(h.Labels) > 0,
			Silent: heads[i].silence.Names(h.Labels), SuggestsNothing: heads[i].silence.All, Precision: heads[i].silence.Precision,
			Meanings: h.Meanings(),
		})
	}
	if !math.IsInf(gap, 1) {
		s.OptimalityGap = &gap
	}
	for _, d := range p.controls {
		if d.Outcome != head.Learned {
			s.Unlearnable = append(s.Unlearnable, Unlearnable{d.Control.Name, d.Control.Type, d.Reason})
		}
	}
	return s
}

// runsForSettings reports whether settings are being chosen, or the encoder adapts.
func (l *Learner) runsForSettings(p event.ProjectID) bool {
	_, selecting := l.selectionRuns.Load(p)
	_, adapting := l.adaptationRuns.Load(p)
	return selecting || adapting
}

// Status returns the status of a project. ok is false for an unknown project. It never waits
// for learning. Safe for concurrent use.
func (l *Learner) Status(p event.ProjectID) (Status, bool) {
	s := l.snapshot(p)
	if s == nil {
		return Status{}, false
	}
	st := s.status
	if r, ok := l.retrainRuns.Load(p); ok {
		st.Retrain = r.(*retrain).report()
	} else if w, ok := l.vectorWaits.Load(p); ok {
		st.Retrain = w.(*vectorWait).report()
	}
	selecting := l.runsForSettings(p)
	if r, ok := l.adaptationRuns.Load(p); ok {
		run, now := r.(*adaptationRun), Adapted{}
		if st.Adapted != nil {
			now = *st.Adapted
		}
		now.Control, now.Next = run.control, run.labels
		st.Adapted = &now
	}
	st.Settled = st.Settled && !selecting && st.Retrain == nil
	st.Encoding = l.encodingStatus(p, s.features.Slow())
	if r, ok := l.lastRetrains.Load(p); ok {
		last := r.(LastRetrain)
		st.LastRetrain = &last
	}
	return st, true
}

// Projects returns the ids of the projects that have a snapshot, in order. Safe for concurrent
// use.
func (l *Learner) Projects() []event.ProjectID {
	var ids []event.ProjectID
	l.snapshots.Range(func(id, _ any) bool {
		ids = append(ids, id.(event.ProjectID))
		return true
	})
	slices.Sort(ids)
	return ids
}
