package learner

import (
	"cmp"
	"context"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
)

// rungs are the numbers of first labels that settings are chosen from while labels
// come in. So the settings are a function of the labels: whatever the order in
// which hone heard of them, the first are those with the lowest annotation ids.
// Beyond the last one settings change only with a full retrain.
var rungs = []int{16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024}

// rung is the highest that n examples reach, 0 below the first.
func rung(n int) int {
	at := 0
	for _, r := range rungs {
		if n >= r {
			at = r
		}
	}
	return at
}

// choice is where the settings of a head come from.
type choice struct {
	Settings model.Settings `json:"settings"`
	// Rung is the number of first examples they were chosen from, and Sum a hash of
	// those examples.
	Rung int    `json:"rung"`
	Sum  uint64 `json:"sum,omitempty"`
	// Held is true for settings that came with a version: they stay until a higher
	// rung is reached.
	Held bool `json:"held,omitempty"`
}

// choices are the heads' choices by control name.
func (p *project) choices() map[string]choice {
	out := map[string]choice{}
	for _, h := range p.heads {
		if h.choice.Rung > 0 {
			out[h.control.Name] = h.choice
		}
	}
	return out
}

// first is the lowest annotation id behind an example, 0 without one.
func (h *head) first(id event.TaskID) event.AnnotationID {
	if ids := h.taught[id]; len(ids) > 0 {
		return slices.Min(ids)
	}
	return 0
}

// touch notes that an example is another one now or may become one; those beyond
// the rung do not matter.
func (h *head) touch(id event.TaskID) {
	if f := h.first(id); f != 0 && f <= h.horizon {
		h.stale = true
	}
}

// lacking is the share of examples without the slow part's vector above which a
// choice waits for them.
const lacking = 0.1

// due are the examples to choose settings from, and what the choice will be of. It
// is false when the settings are those of today's examples.
func (h *head) due(encoder string) (examples []model.Example, of choice, ok bool) {
	n := rung(h.model.Len())
	if !h.tuned() || n == h.choice.Rung && !h.stale || h.choice.Held && n <= h.choice.Rung {
		return nil, choice{}, false
	}
	h.stale = false
	ids := make([]event.TaskID, 0, len(h.taught))
	for id := range h.sums {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b event.TaskID) int {
		return cmp.Or(cmp.Compare(h.first(a), h.first(b)), cmp.Compare(a, b))
	})
	ids = ids[:min(n, len(ids))]
	of = choice{Rung: n}
	if n == 0 {
		// Too few for a choice: the defaults, which are others with a prior.
		h.horizon = 0
		of.Settings = h.defaults()
		return nil, of, h.choice.Rung != 0 || !same(of.Settings, h.choice.Settings)
	}
	h.horizon = h.first(ids[n-1])
	among := make(map[int64]bool, n)
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(h.key + "\x00" + encoder)
	for _, g := range h.prior {
		_, _ = d.Write([]byte{byte(min(1, len(g.Weights)))})
	}
	for _, id := range ids {
		among[int64(id)] = true
		var b [16]byte
		for i := range 8 {
			b[i], b[8+i] = byte(uint64(id)>>(8*i)), byte(h.sums[id]>>(8*i))
		}
		_, _ = d.Write(b[:])
	}
	if of.Sum = d.Sum64(); of.Rung == h.choice.Rung && of.Sum == h.choice.Sum {
		return nil, of, false
	}
	bare := 0
	h.model.Examples(func(e model.Example) bool {
		if among[e.ID] {
			examples = append(examples, e)
			if parts := e.X.Parts(); parts > 0 && !e.X.HasPart(parts-1) {
				bare++
			}
		}
		return len(examples) < n
	})
	if float64(bare) > lacking*float64(n) {
		return nil, of, false // taking the vectors in touches the examples
	}
	return examples, of, true
}

// choosing is a choice of settings under way.
type choosing struct {
	project event.ProjectID
	done    chan struct{}
}

// beginChoice has settings chosen beside the live models where the first labels
// are others than those they were chosen from.
func (l *Learner) beginChoice(p *project) {
	id := p.meta.Project
	if l.closed || len(p.versions) == 0 {
		return
	}
	if _, running := l.choosing.Load(id); running {
		return // it looks again when it ends
	}
	if _, running := l.retrains.Load(id); running || p.pending != nil {
		return // that chooses too
	}
	for _, h := range p.heads {
		examples, of, ok := h.due(l.o.Encoder.Name())
		if !ok {
			continue
		}
		c := &choosing{project: id, done: make(chan struct{})}
		l.choosing.Store(id, c)
		l.begun.Add(1)
		epoch, q := p.epoch, h.question
		l.work.Go(func() {
			defer close(c.done)
			err := choose(l.ctx, q, examples, &of)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.choosing.Delete(id)
			if err != nil || l.closed {
				return // hone ends
			}
			if p := l.projects[id]; p != nil && l.lost[id] == nil {
				if p.epoch == epoch {
					l.o.Logger.WithFields(logrus.Fields{
						"project": id, "control": q.control.Name, "labels": of.Rung, "settings": of.Settings,
					}).Debug("chose settings")
					h.take(of)
					p.unsaved = true
				} else {
					h.stale = true
				}
				p.settled = false // also where nothing changed: to tell that it is settled now
				l.nudge()
				l.beginRetrain(p)
				l.beginChoice(p)
			}
		})
		return
	}
}

// choose fills in the settings of a choice.
func choose(ctx context.Context, q *question, examples []model.Example, of *choice) error {
	if of.Rung == 0 {
		return ctx.Err()
	}
	var err error
	of.Settings, _, err = newSearch(q, byFold(examples), func() {}).best(ctx)
	return err
}

// take makes the settings of a choice the model's.
func (h *head) take(c choice) {
	h.choice = c
	if !same(c.Settings, h.model.Settings()) {
		h.reset(c.Settings)
	}
}

func same(a, b model.Settings) bool {
	return a.Ridge == b.Ridge && a.Bias == b.Bias && slices.Equal(a.Parts, b.Parts) && slices.Equal(a.Trust, b.Trust)
}
