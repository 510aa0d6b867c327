package learner

import (
	"math"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/report"
)

// status describes a project as it is now.
func (l *Learner) status(p *project, heads []headSnapshot) report.Status {
	selecting := l.runsForSettings(p.meta.Project)
	s := report.Status{
		Project: p.meta.Project, Labels: p.labels(), Version: p.version(), Snapshot: p.sequence,
		Settled: p.settled && !selecting && p.pending == nil, Announced: p.announced, Fault: p.fault, Heads: []report.Head{}, SettingsHeld: p.settingsPinned(),
		Annotations: p.counts.Annotations, Suggestions: p.counts.Suggestions, NoText: p.counts.NoText, IdenticalPairs: p.counts.IdenticalPairs,
	}
	if s.Settled && p.features.Slow() != 0 {
		_, _, missing := l.missingVectors(p)
		s.VectorsMissing = missing != 0
	}
	if p.adapted != nil {
		s.Adapted = &report.Adapted{Control: p.adapted.Control, Labels: p.adapted.Labels, At: p.adapted.At, Accuracy: p.adapted.Accuracy, Without: p.adapted.Without}
	}
	s.Refused, s.RefusedCount = p.refused.List()
	gap := 0.0
	for i, h := range p.heads {
		gap = max(gap, h.model.Bound())
		pr := h.progress
		s.Heads = append(s.Heads, report.Head{
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
			s.Unlearnable = append(s.Unlearnable, report.Unlearnable{Control: d.Control.Name, Type: d.Control.Type, Reason: d.Reason})
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
func (l *Learner) Status(p event.ProjectID) (report.Status, bool) {
	s := l.snapshot(p)
	if s == nil {
		return report.Status{}, false
	}
	st := s.status
	if r, ok := l.retrainRuns.Load(p); ok {
		st.Retrain = r.(*retrain).report()
	} else if w, ok := l.vectorWaits.Load(p); ok {
		st.Retrain = w.(*vectorWait).report()
	}
	selecting := l.runsForSettings(p)
	if r, ok := l.adaptationRuns.Load(p); ok {
		run, now := r.(*adaptationRun), report.Adapted{}
		if st.Adapted != nil {
			now = *st.Adapted
		}
		now.Control, now.Next = run.control, run.labels
		st.Adapted = &now
	}
	st.Settled = st.Settled && !selecting && st.Retrain == nil
	st.Encoding = l.encodingStatus(p, s.features.Slow())
	if r, ok := l.lastRetrains.Load(p); ok {
		last := r.(report.LastRetrain)
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
