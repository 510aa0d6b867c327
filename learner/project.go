package learner

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/settings"
)

// project is what is learned of one project. It is guarded by its lane's lock.
type project struct {
	meta     event.Meta
	controls head.Decisions // what is done with each; nil when no config can be read
	fault    string         // why not
	heads    []*onlineHead
	versions []event.Version
	settings map[string]model.Settings // of the live version, where it has some
	pinned   bool                      // settings stay, whatever the labels say: a rollback holds them
	chosen   map[string]tune.Selection // as stored, for heads to come
	pending  *pending
	number   uint64 // of the last snapshot
	told     uint64 // the last snapshot of which readers are told; 0 if none since it was loaded

	configured map[string]string // what somebody set, by key
	values     settings.Values   // the settings in force

	taught  tally
	refused refused   // answers that no model can take
	since   time.Time // oldest change not yet settled and told
	settled bool
	unsaved bool // duals changed since the last checkpoint
	savedAt time.Time
	epoch   uint64 // goes up when heads are replaced: a retrain begun before is void
}

// epochs number the sets of heads, also those of a project that is loaded again.
var epochs atomic.Uint64

func newProject(id event.ProjectID, t *settings.Table) *project {
	return &project{meta: event.Meta{Project: id}, taught: tally{}, refused: refused{}, values: t.Values(nil)}
}

// load makes a project from what is stored.
func (l *Learner) load(ctx context.Context, id event.ProjectID) (*project, error) {
	st, err := l.store.Load(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("load project %d: %w", id, err)
	}
	p := newProject(id, l.o.Settings)
	p.configured, p.values = st.Settings, l.o.Settings.Values(st.Settings)
	p.meta, p.versions = st.Meta, st.Versions
	p.meta.Project = id
	if at := liveIndex(st.Versions); at >= 0 {
		if p.settings, err = readVersionSettings(st.Versions[at]); err != nil {
			// Settings are a choice among good ones: the defaults do as well.
			l.o.Logger.WithError(err).WithField("project", id).Error("using the default settings")
		}
	}
	state, err := readProjectState(st.LearnerState)
	if err != nil {
		l.o.Logger.WithError(err).WithField("project", id).Error("going on without it: settings are chosen anew")
	}
	p.pinned, p.chosen, p.pending, p.number = state.Pinned, state.Chosen, state.Pending, state.Snapshot
	ck, err := readCheckpoint(st.Checkpoint)
	if err != nil {
		l.o.Logger.WithError(err).WithField("project", id).Warn("learning afresh from the examples")
	}
	p.configure(l.features.encoder)
	for _, h := range p.heads {
		if pr := state.Progress[h.Control.Name]; pr != nil {
			h.progress = pr
			h.progress.Retain(h.Labels)
		}
	}
	if err := l.fill(p, p.heads, st.Labelled, ck); err != nil {
		return nil, err
	}
	return p, nil
}

// configure makes the heads that the label config asks for and keeps those that
// are still the same. It returns the new ones, which know nothing.
func (p *project) configure(e encode.Encoder) []*onlineHead {
	p.controls, p.fault = nil, ""
	var fresh, heads []*onlineHead
	switch cfg, err := labelconfig.Parse(p.meta.LabelConfig); {
	case p.meta.Gone:
	case err != nil:
		p.fault = err.Error()
	default:
		p.controls = head.Decide(cfg)
		for _, d := range p.controls.Learned() {
			q := head.NewSpec(d).WithSettings(p.values)
			same := slices.IndexFunc(p.heads, func(h *onlineHead) bool { return h.Key == q.Key })
			if same >= 0 {
				p.heads[same].Spec = q.WithPriorOf(p.heads[same].Spec)
				heads = append(heads, p.heads[same])
				continue
			}
			h := newHead(q.WithEncoder(e), p.taught)
			h.take(p.choiceOf(h.Spec))
			for _, old := range p.heads { // other labels, same question
				if old.Control.Name == q.Control.Name && old.Control.Type == q.Control.Type && old.Control.Multiple == q.Control.Multiple {
					h.progress = old.progress
					h.progress.Retain(h.Labels)
				}
			}
			fresh = append(fresh, h)
			heads = append(heads, h)
		}
	}
	for _, old := range p.heads {
		if !slices.Contains(heads, old) {
			for _, ids := range old.taught {
				p.taught.add(ids, -1)
			}
			maps.DeleteFunc(p.refused, func(k refusedKey, _ string) bool { return k.control == old.Control.Name })
		}
	}
	p.heads = heads
	p.epoch = epochs.Add(1)
	return fresh
}

// choiceOf is where the settings of a question come from that is not a head yet.
func (p *project) choiceOf(q *head.Spec) tune.Selection {
	if s, ok := p.settings[q.Control.Name]; ok && p.pinned {
		return tune.Selection{Settings: s, Pinned: true}
	}
	if c, ok := p.chosen[q.Control.Name]; ok && tune.Tunable(q) {
		return c
	}
	return tune.Selection{Settings: tune.Defaults(q)}
}

// fill teaches heads, which know nothing yet, the tasks.
func (l *Learner) fill(p *project, heads []*onlineHead, tasks iter.Seq2[event.TaskState, error], ck checkpoint) error {
	duals := make([]map[event.TaskID][]float32, len(heads))
	for i, h := range heads {
		duals[i] = ck.duals(h, l.features.encoder.Name())
	}
	for t, err := range tasks {
		if err != nil {
			return err
		}
		for i, h := range heads {
			l.teach(p, h, t, duals[i][t.Task.ID], false)
			delete(duals[i], t.Task.ID)
		}
	}
	p.settled = false
	p.unsaved = true
	return nil
}

// teach encodes the task and makes the head learn what its state says. What the
// head's model refuses is forgotten and passed over: trying again would not help,
// and others wait.
func (l *Learner) teach(p *project, h *onlineHead, t event.TaskState, duals []float32, test bool) change {
	if t.Deleted || len(t.Annotations) == 0 {
		p.refused.note(t.Task.ID, h.Control.Name, "")
		return change{forgotten: h.forget(t.Task.ID)}
	}
	x, missing := l.features.example(h.Spec, t.Task.Data)
	ch, err := h.learn(t, x, duals, test)
	reason := ""
	switch {
	case err != nil:
		reason = err.Error()
		h.forget(t.Task.ID)
		ch = change{forgotten: true, refused: true}
	case ch.unreadable > 0:
		reason = ch.reason
		ch.refused = true
	}
	p.refused.note(t.Task.ID, h.Control.Name, reason)
	h.markMissing(t.Task.ID, missing)
	return ch
}

// apply makes the project know a delta.
func (l *Learner) apply(ctx context.Context, p *project, d *event.Delta) error {
	reconfigure := d.ConfigChanged || d.New || d.Meta.Gone != p.meta.Gone
	p.meta = d.Meta
	if reconfigure {
		if fresh := p.configure(l.features.encoder); len(fresh) > 0 && !d.New {
			// The raw results are kept, so new heads learn what old tasks say of them.
			st, err := l.store.Load(ctx, p.meta.Project)
			if err != nil {
				return fmt.Errorf("load project %d: %w", p.meta.Project, err)
			}
			if err := l.fill(p, fresh, st.Labelled, checkpoint{}); err != nil {
				return err
			}
		}
		p.settled = false
	}
	for _, t := range d.Tasks {
		for _, h := range p.heads {
			ch := l.teach(p, h, t, nil, true)
			if ch.refused {
				l.metrics.refused.WithLabelValues(strconv.FormatInt(int64(p.meta.Project), 10), h.Control.Name).Inc()
			}
			if ch.learned || ch.forgotten {
				p.settled, p.unsaved = false, true
			}
			l.metrics.changed(ch)
		}
	}
	if len(p.versions) == 0 {
		p.addVersion(event.Version{CreatedAt: l.o.Now().UTC(), Reason: "first"}, nil)
	}
	return nil
}

// settle walks every head to its optimum until the context is done, and
// reports whether it got there.
func (p *project) settle(ctx context.Context, tolerance float64) bool {
	p.settled = true
	for _, h := range p.heads {
		p.settled = h.model.Settle(ctx, tolerance).Done && p.settled
	}
	return p.settled
}

// labels counts the annotations that some head learned from.
func (p *project) labels() int { return len(p.taught) }
