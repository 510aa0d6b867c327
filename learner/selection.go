package learner

import (
	"cmp"
	"context"
	"slices"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
)

// selections returns the selections of the heads that were made from labels, by control name.
func (p *project) selections() map[string]tune.Selection {
	out := map[string]tune.Selection{}
	for _, h := range p.heads {
		if h.selection.Size > 0 {
			out[h.Control.Name] = h.selection
		}
	}
	return out
}

// firstAnnotation returns the lowest annotation id behind an example, 0 without one.
func (h *onlineHead) firstAnnotation(id event.TaskID) event.AnnotationID {
	if ids := h.annotationsByTask[id]; len(ids) > 0 {
		return slices.Min(ids)
	}
	return 0
}

// markDirty records that an example has changed or may change. Examples that are newer than
// those of the selection, or of the adapter, do not matter to it.
func (h *onlineHead) markDirty(id event.TaskID) {
	if f := h.firstAnnotation(id); f != 0 {
		h.dirty = h.dirty || f <= h.newestUsed
		h.relabelled = h.relabelled || f <= h.newestAdapted
	}
}

// maxMissingShare is the share of examples without vectors above which a selection waits for
// them.
const maxMissingShare = 0.1

// searchSample holds the examples that settings are chosen from: the first ones, as many as
// the largest sample size that is reached.
type searchSample struct {
	// selection has its size and fingerprint, and its settings only if the size is 0: then
	// they are the defaults.
	selection tune.Selection
	taskIDs   map[int64]bool
	examples  []model.Example
	// newest is the highest first annotation id among the examples.
	newest event.AnnotationID
}

// firstTasks returns the n tasks that were labelled first, of those that are examples.
func (h *onlineHead) firstTasks(n int) []event.TaskID {
	ids := make([]event.TaskID, 0, len(h.fingerprints))
	for id := range h.fingerprints {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b event.TaskID) int {
		return cmp.Or(cmp.Compare(h.firstAnnotation(a), h.firstAnnotation(b)), cmp.Compare(a, b))
	})
	return ids[:min(n, len(ids))]
}

// searchSample returns the sample for the number of examples there are, without the examples:
// collectExamples adds them.
func (h *onlineHead) searchSample(encoder string) searchSample {
	n := tune.SampleSize(h.model.Len())
	if n == 0 || !tune.Tunable(h.Spec) {
		// The defaults depend on whether there is a prior.
		return searchSample{selection: tune.Selection{Settings: tune.Defaults(h.Spec)}}
	}
	ids := h.firstTasks(n)
	s := searchSample{selection: tune.Selection{Size: n}, taskIDs: make(map[int64]bool, n), newest: h.firstAnnotation(ids[len(ids)-1])}
	for _, id := range ids {
		s.taskIDs[int64(id)] = true
	}
	s.selection.Fingerprint = tune.Fingerprint(h.Spec, encoder, ids, h.fingerprints)
	return s
}

// collectExamples adds the examples to a sample.
func (h *onlineHead) collectExamples(s *searchSample) {
	h.model.Examples(func(e model.Example) bool {
		if s.taskIDs[e.ID] {
			s.examples = append(s.examples, e)
		}
		return len(s.examples) < len(s.taskIDs)
	})
}

// dueSample returns the sample to choose settings from. It returns false when the settings
// were chosen from the same examples, or are pinned, or too many vectors are missing.
func (h *onlineHead) dueSample(encoder string) (searchSample, bool) {
	n := tune.SampleSize(h.model.Len())
	if !tune.Tunable(h.Spec) || h.selection.Pinned || h.selection.Adapter != "" || // an adapter brings its own
		n == h.selection.Size && !h.dirty {
		return searchSample{}, false
	}
	h.dirty = false
	s := h.searchSample(encoder)
	h.newestUsed = s.newest
	if n == 0 {
		return s, h.selection.Size != 0 || !tune.Equal(s.selection.Settings, h.selection.Settings)
	}
	if s.selection.Size == h.selection.Size && s.selection.Fingerprint == h.selection.Fingerprint {
		return s, false
	}
	missing := 0
	for id := range h.incomplete {
		if s.taskIDs[int64(id)] {
			missing++
		}
	}
	if float64(missing) > maxMissingShare*float64(n) {
		return s, false // the arrival of the vectors marks it dirty
	}
	h.collectExamples(&s)
	return s, true
}

// selectionRun is a search for settings that is running.
type selectionRun struct {
	project event.ProjectID
	done    chan struct{}
}

// startSelection starts to choose settings, in a goroutine, for the first head whose sample has
// changed. The lane's lock is held and its project loaded.
func (l *Learner) startSelection(ln *lane) {
	id, p := ln.id, ln.project
	if l.isClosed() || len(p.versions) == 0 {
		return
	}
	if _, running := l.selectionRuns.Load(id); running {
		return // at its end it starts the next
	}
	if _, running := l.retrainRuns.Load(id); running {
		return // a retrain chooses settings too
	}
	if _, waits := l.vectorWaits.Load(id); p.pending != nil && !waits {
		return // a retrain is about to begin
	}
	for _, h := range p.heads {
		s, ok := h.dueSample(h.encoder)
		if !ok {
			continue
		}
		run := &selectionRun{project: id, done: make(chan struct{})}
		l.selectionRuns.Store(id, run)
		l.runsStarted.Add(1)
		generation, q := p.generation, h.Spec
		spawned := l.spawn(func() {
			defer close(run.done)
			chosen, err := selectSettings(l.ctx, q, s, l.cores, func() {})
			defer l.lockLane(ln)()
			l.selectionRuns.Delete(id)
			if err != nil || l.isClosed() {
				return // hone ends
			}
			if p := ln.loaded(); p != nil {
				if p.generation == generation {
					l.o.Logger.WithFields(logrus.Fields{
						"project": id, "control": q.Control.Name, "labels": chosen.Size, "settings": chosen.Settings,
					}).Debug("chose settings")
					h.applySettings(chosen)
					p.unsaved = true
				} else {
					h.dirty = true
				}
				p.settled = false // also when nothing changed: the published status must say settled
				l.startRuns(ln)
			}
		})
		if !spawned {
			l.selectionRuns.Delete(id)
		}
		return
	}
}

// selectSettings chooses settings for a sample. The result depends on the spec and the sample
// only. The error is the context's.
func selectSettings(ctx context.Context, q *head.Spec, s searchSample, cores chan struct{}, onStep func()) (tune.Selection, error) {
	out := s.selection
	if out.Size == 0 {
		return out, ctx.Err()
	}
	var err error
	out.Settings, err = tune.Search(ctx, q, s.examples, cores, onStep)
	return out, err
}

// applySettings records a selection, and rebuilds the model if its settings differ.
func (h *onlineHead) applySettings(c tune.Selection) {
	h.selection = c
	if !tune.Equal(c.Settings, h.model.Settings()) {
		h.rebuildModel(c.Settings)
	}
}
