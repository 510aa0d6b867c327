package learner

import (
	"math"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
)

// Status is a project as its last snapshot has it.
type Status struct {
	Project event.ProjectID `json:"project"`
	// Labels is the number of annotations learned from.
	Labels int `json:"labels"`
	// Version is the live version, "" before there is one.
	Version string `json:"model_version"`
	// Snapshot goes up by one with every snapshot, over restarts too.
	Snapshot uint64 `json:"snapshot"`
	// OptimalityGap is the most by which any probability can differ from that of
	// training from scratch on the same labels; null while it is not known.
	OptimalityGap *float64 `json:"optimality_gap"`
	// Settled is true when nothing is left to do about it, no retrain is due, and the
	// settings are those that the labels ask for, or a rollback holds.
	Settled bool `json:"settled"`
	// Told is the number of the last snapshot that a Learned told or tells of, 0 when none
	// did since the project was loaded.
	Told uint64 `json:"-"`
	// VectorsMissing is true while a slow encoder has not made all vectors of labelled
	// texts and of label names. It is only kept up to date where Settled is true.
	VectorsMissing bool   `json:"vectors_missing,omitempty"`
	Heads          []Head `json:"heads"`
	// Unlearnable are the controls hone leaves alone, each with the reason.
	Unlearnable []Unlearnable `json:"unlearnable,omitempty"`
	// Refused are answers that could not be learned, the first few of RefusedCount.
	Refused      []Refused `json:"refused,omitempty"`
	RefusedCount int       `json:"refused_count,omitempty"`
	// Fault is why the label config cannot be read, "" when it can.
	Fault string `json:"fault,omitempty"`
	// SettingsHeld is true when a rollback holds the settings: no label changes them
	// until somebody asks for a retrain.
	SettingsHeld bool `json:"settings_held,omitempty"`
	// Retrain is the full retrain that is waiting or running, nil if none.
	Retrain *Retrain `json:"retrain,omitempty"`
	// LastRetrain is the last one since the start, nil if none ended.
	LastRetrain *LastRetrain `json:"last_retrain,omitempty"`
	// Encoding is how far a slow encoder is, nil without one.
	Encoding *Encoding `json:"encoding,omitempty"`
}

// LastRetrain is a full retrain that has ended.
type LastRetrain struct {
	At time.Time `json:"at"`
	// Outcome is a sentence.
	Outcome string `json:"outcome"`
}

// Head is one learned control. The scores are of predictions made just before
// each task was learned; without a suffix they look about 50 tasks back, with
// _overall at all tasks. Accuracy is the share of tasks whose answer is exactly
// right, of a Number that is near enough: within a step or a tenth of its range, or
// without one within half a standard deviation of the answers. ECE is the expected
// calibration error in 15 bins, MAE and RMSE the mean absolute error and the root of
// the mean squared one.
type Head struct {
	Control  string   `json:"control"`
	Type     string   `json:"type"`
	Multiple bool     `json:"multiple,omitempty"`
	Labels   []string `json:"labels"`
	Examples int      `json:"examples"`
	Ridge    float64  `json:"ridge"`

	// Tested is how many tasks the overall scores are of.
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
	// Numeric is true where answers are far from or near to each other: MAE and RMSE
	// mean something. Labelled is true where answers are labels: MacroF1 and LogLoss do.
	Numeric  bool `json:"numeric,omitempty"`
	Labelled bool `json:"labelled,omitempty"`

	// Silent are the labels that the settings keep from annotators now; SuggestsNothing is
	// true when nothing of the head is suggested. Precision is that of each label in the
	// recent scores, where suggestions go by it.
	Silent          []string           `json:"silent,omitempty"`
	SuggestsNothing bool               `json:"suggests_nothing,omitempty"`
	Precision       map[string]float64 `json:"precision,omitempty"`
}

// Unlearnable is a control that hone leaves alone.
type Unlearnable struct {
	Control string `json:"control"`
	Type    string `json:"type"`
	Reason  string `json:"reason"`
}

// Retrain is how far a full retrain is.
type Retrain struct {
	Reason string `json:"reason"`
	// Progress is 0 to 1.
	Progress float64 `json:"progress"`
	// Waiting is what it waits for, a sentence, "" when it is running. Again is true
	// when it has been done without that, and is to be done again.
	Waiting string `json:"waiting,omitempty"`
	Again   bool   `json:"again,omitempty"`
}

func (l *Learner) status(p *project, heads []frozen) Status {
	_, choosing := l.choosing.Load(p.meta.Project)
	s := Status{
		Project: p.meta.Project, Labels: p.labels(), Version: p.version(), Snapshot: p.number,
		Settled: p.settled && !choosing && p.pending == nil, Told: p.told, Fault: p.fault, Heads: []Head{}, SettingsHeld: p.held(),
	}
	if s.Settled && len(l.backfills) > 0 {
		_, _, missing := l.missingVectors(p)
		s.VectorsMissing = missing != 0
	}
	s.Refused, s.RefusedCount = p.refused.list()
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
			Silent: heads[i].silence.names(h.Labels), SuggestsNothing: heads[i].silence.all, Precision: heads[i].silence.precision,
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

// Status is the project's last snapshot; ok is false for a project hone has not
// heard of. It never waits for learning.
func (l *Learner) Status(p event.ProjectID) (Status, bool) {
	s := l.snapshot(p)
	if s == nil {
		return Status{}, false
	}
	st := s.status
	if r, ok := l.retrains.Load(p); ok {
		st.Retrain = r.(*retrain).report()
	} else if w, ok := l.waiting.Load(p); ok {
		st.Retrain = w.(*vectorWait).report()
	}
	_, choosing := l.choosing.Load(p)
	st.Settled = st.Settled && !choosing && st.Retrain == nil
	st.Encoding = l.encoding(p)
	if r, ok := l.retrained.Load(p); ok {
		last := r.(LastRetrain)
		st.LastRetrain = &last
	}
	return st, true
}

// Projects are the ids of the projects with a snapshot, in order.
func (l *Learner) Projects() []event.ProjectID {
	var ids []event.ProjectID
	l.snapshots.Range(func(id, _ any) bool {
		ids = append(ids, id.(event.ProjectID))
		return true
	})
	slices.Sort(ids)
	return ids
}
