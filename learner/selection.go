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

// choices are the heads' choices by control name.
func (p *project) choices() map[string]tune.Selection {
	out := map[string]tune.Selection{}
	for _, h := range p.heads {
		if h.choice.Size > 0 {
			out[h.Control.Name] = h.choice
		}
	}
	return out
}

// first is the lowest annotation id behind an example, 0 without one.
func (h *onlineHead) first(id event.TaskID) event.AnnotationID {
	if ids := h.taught[id]; len(ids) > 0 {
		return slices.Min(ids)
	}
	return 0
}

// touch notes that an example is another one now or may become one; those beyond
// the sample do not matter.
func (h *onlineHead) touch(id event.TaskID) {
	if f := h.first(id); f != 0 && f <= h.horizon {
		h.stale = true
	}
}

// maxMissingShare is the share of examples whose vectors are still to come above
// which a choice waits for them.
const maxMissingShare = 0.1

// selection is what settings are chosen from: the first examples, as many as the
// highest sample size that is reached.
type selection struct {
	// of is the choice without its settings; with them when the size is 0, where
	// there is nothing to choose.
	of       tune.Selection
	tasks    map[int64]bool
	examples []model.Example
	// newest is the highest first annotation id among the examples.
	newest event.AnnotationID
}

// selection finds the first examples; collect fills them in.
func (h *onlineHead) selection(encoder string) selection {
	n := tune.SampleSize(h.model.Len())
	if n == 0 || !tune.Tunable(h.Spec) {
		// The defaults, which are others with a prior.
		return selection{of: tune.Selection{Settings: tune.Defaults(h.Spec)}}
	}
	ids := make([]event.TaskID, 0, len(h.sums))
	for id := range h.sums {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b event.TaskID) int {
		return cmp.Or(cmp.Compare(h.first(a), h.first(b)), cmp.Compare(a, b))
	})
	ids = ids[:min(n, len(ids))]
	s := selection{of: tune.Selection{Size: n}, tasks: make(map[int64]bool, n), newest: h.first(ids[len(ids)-1])}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(h.Key + "\x00" + encoder)
	for _, g := range h.Prior {
		_, _ = d.Write([]byte{byte(min(1, len(g.Weights)))})
	}
	for _, id := range ids {
		s.tasks[int64(id)] = true
		var b [16]byte
		for i := range 8 {
			b[i], b[8+i] = byte(uint64(id)>>(8*i)), byte(h.sums[id]>>(8*i))
		}
		_, _ = d.Write(b[:])
	}
	s.of.Fingerprint = d.Sum64()
	return s
}

// collect fills in the examples of a selection.
func (h *onlineHead) collect(s *selection) {
	h.model.Examples(func(e model.Example) bool {
		if s.tasks[e.ID] {
			s.examples = append(s.examples, e)
		}
		return len(s.examples) < len(s.tasks)
	})
}

// due is what to choose settings from. It is false when the settings are those of
// today's examples, or held.
func (h *onlineHead) due(encoder string) (selection, bool) {
	n := tune.SampleSize(h.model.Len())
	if !tune.Tunable(h.Spec) || h.choice.Pinned || n == h.choice.Size && !h.stale {
		return selection{}, false
	}
	h.stale = false
	s := h.selection(encoder)
	h.horizon = s.newest
	if n == 0 {
		return s, h.choice.Size != 0 || !tune.Equal(s.of.Settings, h.choice.Settings)
	}
	if s.of.Size == h.choice.Size && s.of.Fingerprint == h.choice.Fingerprint {
		return s, false
	}
	missing := 0
	for id := range h.incomplete {
		if s.tasks[int64(id)] {
			missing++
		}
	}
	if float64(missing) > maxMissingShare*float64(n) {
		return s, false // taking the vectors in touches the examples
	}
	h.collect(&s)
	return s, true
}

// choosing is a choice of settings under way.
type choosing struct {
	project event.ProjectID
	done    chan struct{}
}

// beginChoice has settings chosen beside the live models where the first labels
// are others than those they were chosen from. The lane's lock is held, and its
// project loaded.
func (l *Learner) beginChoice(ln *lane) {
	id, p := ln.id, ln.p
	if l.isClosed() || len(p.versions) == 0 {
		return
	}
	if _, running := l.choosing.Load(id); running {
		return // it looks again when it ends
	}
	if _, running := l.retrains.Load(id); running {
		return // that chooses too
	}
	if _, waits := l.waiting.Load(id); p.pending != nil && !waits {
		return // it is about to begin
	}
	for _, h := range p.heads {
		s, ok := h.due(l.features.encoder.Name())
		if !ok {
			continue
		}
		c := &choosing{project: id, done: make(chan struct{})}
		l.choosing.Store(id, c)
		l.begun.Add(1)
		epoch, q := p.epoch, h.Spec
		began := l.spawn(func() {
			defer close(c.done)
			of, err := choose(l.ctx, q, s, l.cores, func() {})
			defer l.hold(ln)()
			l.choosing.Delete(id)
			if err != nil || l.isClosed() {
				return // hone ends
			}
			if p := ln.live(); p != nil {
				if p.epoch == epoch {
					l.o.Logger.WithFields(logrus.Fields{
						"project": id, "control": q.Control.Name, "labels": of.Size, "settings": of.Settings,
					}).Debug("chose settings")
					h.take(of)
					p.unsaved = true
				} else {
					h.stale = true
				}
				p.settled = false // also where nothing changed: to tell that it is settled now
				l.beginRetrain(ln)
				l.beginChoice(ln)
			}
		})
		if !began {
			l.choosing.Delete(id)
		}
		return
	}
}

// choose is the choice that a selection leads to. It depends on nothing but its
// arguments.
func choose(ctx context.Context, q *head.Spec, s selection, cores chan struct{}, tick func()) (tune.Selection, error) {
	of := s.of
	if of.Size == 0 {
		return of, ctx.Err()
	}
	var err error
	of.Settings, err = tune.Search(ctx, q, s.examples, cores, tick)
	return of, err
}

// take makes the settings of a choice the model's.
func (h *onlineHead) take(c tune.Selection) {
	h.choice = c
	if !tune.Equal(c.Settings, h.model.Settings()) {
		h.reset(c.Settings)
	}
}
