package learner

import (
	"cmp"
	"context"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
)

// selections are the heads' choices by control name.
func (p *project) selections() map[string]tune.Selection {
	out := map[string]tune.Selection{}
	for _, h := range p.heads {
		if h.selection.Size > 0 {
			out[h.Control.Name] = h.selection
		}
	}
	return out
}

// firstAnnotation is the lowest annotation id behind an example, 0 without one.
func (h *onlineHead) firstAnnotation(id event.TaskID) event.AnnotationID {
	if ids := h.annotationsByTask[id]; len(ids) > 0 {
		return slices.Min(ids)
	}
	return 0
}

// markDirty notes that an example is another one now or may become one; those beyond
// the sample do not matter.
func (h *onlineHead) markDirty(id event.TaskID) {
	if f := h.firstAnnotation(id); f != 0 && f <= h.newestUsed {
		h.dirty = true
	}
}

// maxMissingShare is the share of examples whose vectors are still to come above
// which a choice waits for them.
const maxMissingShare = 0.1

// searchSample is what settings are chosen from: the first examples, as many as the
// highest sample size that is reached.
type searchSample struct {
	// selection is the choice without its settings; with them when the size is 0, where
	// there is nothing to choose.
	selection tune.Selection
	taskIDs   map[int64]bool
	examples  []model.Example
	// newest is the highest first annotation id among the examples.
	newest event.AnnotationID
}

// searchSample finds the first examples; collect fills them in.
func (h *onlineHead) searchSample(encoder string) searchSample {
	n := tune.SampleSize(h.model.Len())
	if n == 0 || !tune.Tunable(h.Spec) {
		// The defaults, which are others with a prior.
		return searchSample{selection: tune.Selection{Settings: tune.Defaults(h.Spec)}}
	}
	ids := make([]event.TaskID, 0, len(h.fingerprints))
	for id := range h.fingerprints {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b event.TaskID) int {
		return cmp.Or(cmp.Compare(h.firstAnnotation(a), h.firstAnnotation(b)), cmp.Compare(a, b))
	})
	ids = ids[:min(n, len(ids))]
	s := searchSample{selection: tune.Selection{Size: n}, taskIDs: make(map[int64]bool, n), newest: h.firstAnnotation(ids[len(ids)-1])}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(h.Key + "\x00" + encoder)
	for _, g := range h.Prior {
		_, _ = d.Write([]byte{byte(min(1, len(g.Weights)))})
	}
	for _, id := range ids {
		s.taskIDs[int64(id)] = true
		var b [16]byte
		for i := range 8 {
			b[i], b[8+i] = byte(uint64(id)>>(8*i)), byte(h.fingerprints[id]>>(8*i))
		}
		_, _ = d.Write(b[:])
	}
	s.selection.Fingerprint = d.Sum64()
	return s
}

// collectExamples fills in the examples of a selection.
func (h *onlineHead) collectExamples(s *searchSample) {
	h.model.Examples(func(e model.Example) bool {
		if s.taskIDs[e.ID] {
			s.examples = append(s.examples, e)
		}
		return len(s.examples) < len(s.taskIDs)
	})
}

// dueSample is what to choose settings from. It is false when the settings are those of
// today's examples, or held.
func (h *onlineHead) dueSample(encoder string) (searchSample, bool) {
	n := tune.SampleSize(h.model.Len())
	if !tune.Tunable(h.Spec) || h.selection.Pinned || n == h.selection.Size && !h.dirty {
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
		return s, false // taking the vectors in touches the examples
	}
	h.collectExamples(&s)
	return s, true
}

// selectionRun is a choice of settings under way.
type selectionRun struct {
	project event.ProjectID
	done    chan struct{}
}

// startSelection has settings chosen beside the live models where the first labels
// are others than those they were chosen from. The lane's lock is held, and its
// project loaded.
func (l *Learner) startSelection(ln *lane) {
	id, p := ln.id, ln.project
	if l.isClosed() || len(p.versions) == 0 {
		return
	}
	if _, running := l.selectionRuns.Load(id); running {
		return // it looks again when it ends
	}
	if _, running := l.retrainRuns.Load(id); running {
		return // that chooses too
	}
	if _, waits := l.vectorWaits.Load(id); p.pending != nil && !waits {
		return // it is about to begin
	}
	for _, h := range p.heads {
		s, ok := h.dueSample(l.features.encoder.Name())
		if !ok {
			continue
		}
		c := &selectionRun{project: id, done: make(chan struct{})}
		l.selectionRuns.Store(id, c)
		l.runsStarted.Add(1)
		epoch, q := p.generation, h.Spec
		began := l.spawn(func() {
			defer close(c.done)
			of, err := selectSettings(l.ctx, q, s, l.cores, func() {})
			defer l.lockLane(ln)()
			l.selectionRuns.Delete(id)
			if err != nil || l.isClosed() {
				return // hone ends
			}
			if p := ln.loaded(); p != nil {
				if p.generation == epoch {
					l.o.Logger.WithFields(logrus.Fields{
						"project": id, "control": q.Control.Name, "labels": of.Size, "settings": of.Settings,
					}).Debug("chose settings")
					h.applySettings(of)
					p.unsaved = true
				} else {
					h.dirty = true
				}
				p.settled = false // also where nothing changed: to tell that it is settled now
				l.startRetrain(ln)
				l.startSelection(ln)
			}
		})
		if !began {
			l.selectionRuns.Delete(id)
		}
		return
	}
}

// selectSettings is the choice that a selection leads to. It depends on nothing but its
// arguments.
func selectSettings(ctx context.Context, q *head.Spec, s searchSample, cores chan struct{}, tick func()) (tune.Selection, error) {
	of := s.selection
	if of.Size == 0 {
		return of, ctx.Err()
	}
	var err error
	of.Settings, err = tune.Search(ctx, q, s.examples, cores, tick)
	return of, err
}

// applySettings makes the settings of a choice the model's.
func (h *onlineHead) applySettings(c tune.Selection) {
	h.selection = c
	if !tune.Equal(c.Settings, h.model.Settings()) {
		h.rebuildModel(c.Settings)
	}
}
