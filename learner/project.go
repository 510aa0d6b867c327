package learner

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/counts"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/stored"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/settings"
)

// project holds the models of one project and what is kept about it. The lock of its lane
// guards it.
type project struct {
	meta             event.Meta
	controls         head.Decisions // for each control of the label config; nil when the config cannot be read
	fault            string         // why nothing is learned under the config, "" when something is
	heads            []*onlineHead
	versions         []event.Version
	settings         map[string]model.Settings // of the live version, by control name
	pinned           bool                      // a rollback holds the settings: labels do not change them
	storedSelections map[string]tune.Selection // by control name, for heads that are made later
	pending          *stored.PendingRetrain
	sequence         uint64 // number of the last snapshot
	announced        uint64 // number of the last snapshot with a Learned; 0 if none since the project was loaded

	configured map[string]string   // what a person has set, by key
	values     settings.Values     // the settings in force
	base       *features.Extractor // of the encoder that the settings name
	features   *features.Extractor // base, and the adapted part if there is an adapter

	heldAdaptation    int                 // while pinned, to how many labels the encoder adapts
	adapted, adapting *adapt.Adaptation   // the adapter in use, and that whose vectors are being made; nil without
	nextFeatures      *features.Extractor // those with adapting, nil without
	staleAdapters     bool                // adapters may be stored that are not in use
	unadaptable       uint64              // the fingerprint of labels that no encoder adapts to, 0 if there are none

	annotationRefs annotationRefs
	refused        counts.RefusedAnswers // answers that no model can learn
	counts         *counts.Project       // of annotations, and of what became of them
	oldestPending  time.Time             // time of the oldest change that is not settled and published; zero if none
	settled        bool
	unsaved        bool // the duals have changed since the last checkpoint
	savedAt        time.Time
	generation     uint64 // changes when heads are replaced: a retrain that began before is void
}

// lastGeneration is the last project.generation given. Generations are unique in the process,
// so that a project that is loaded again has another.
var lastGeneration atomic.Uint64

func newProject(id event.ProjectID) *project {
	return &project{
		meta: event.Meta{Project: id}, annotationRefs: annotationRefs{}, refused: counts.RefusedAnswers{}, counts: counts.NewProject(),
	}
}

// newProject returns a project of which nothing is known, with the default settings.
func (l *Learner) newProject(id event.ProjectID) *project {
	p := newProject(id)
	l.setSettings(p, nil)
	return p
}

// load reads a project from the store and trains its heads. The error is the store's: what
// is damaged of settings, state and checkpoint is logged and replaced by defaults.
func (l *Learner) load(ctx context.Context, id event.ProjectID) (*project, error) {
	st, err := l.store.Load(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("load project %d: %w", id, err)
	}
	p := newProject(id)
	l.setSettings(p, st.Settings)
	p.meta, p.versions = st.Meta, st.Versions
	p.meta.Project = id
	if at := event.LiveIndex(st.Versions); at >= 0 {
		v, err := stored.ReadVersionSettings(st.Versions[at])
		if err != nil {
			// The defaults are good settings too.
			l.o.Logger.WithError(err).WithField("project", id).Error("using the default settings")
		}
		p.settings, p.heldAdaptation = v.Heads, v.AdaptedLabels
	}
	state, err := stored.ReadState(st.LearnerState)
	if err != nil {
		l.o.Logger.WithError(err).WithField("project", id).Error("going on without it: settings are chosen anew")
	}
	p.pinned, p.storedSelections, p.pending, p.sequence = state.Pinned, state.Chosen, state.Pending, state.Snapshot
	p.staleAdapters = true // hone may have ended before they were deleted
	l.loadAdapter(ctx, p, state.Adapted)
	ck, err := stored.ReadCheckpoint(st.Checkpoint)
	if err != nil {
		l.o.Logger.WithError(err).WithField("project", id).Warn("learning afresh from the examples")
	}
	p.configure()
	for _, h := range p.heads {
		if pr := state.Progress[h.Control.Name]; pr != nil {
			h.progress = pr
			h.progress.Retain(h.Labels)
		}
	}
	if err := l.trainFromStore(p, p.heads, st.Labelled, ck); err != nil {
		return nil, err
	}
	return p, nil
}

// configure makes a head for each control of the label config that can be learned. It keeps
// the heads whose spec and encoder have not changed, and returns the new ones, which have no
// examples.
func (p *project) configure() []*onlineHead {
	p.controls, p.fault = nil, ""
	var added, heads []*onlineHead
	switch cfg, err := labelconfig.Parse(p.meta.LabelConfig); {
	case p.meta.Gone:
	case err != nil:
		p.fault = err.Error()
	default:
		p.controls = head.Decide(cfg)
		if err := p.controls.Check(); err != nil {
			p.fault = err.Error()
		}
		for _, d := range p.controls.Learned() {
			q := head.NewSpec(d).WithSettings(p.values)
			same := slices.IndexFunc(p.heads, func(h *onlineHead) bool { return h.Key == q.Key && h.encoder == p.features.Name() })
			if same >= 0 {
				p.heads[same].Spec = q.WithPriorOf(p.heads[same].Spec)
				heads = append(heads, p.heads[same])
				continue
			}
			h := newHead(q.WithEncoder(p.features.Encoder()), p.annotationRefs)
			h.encoder = p.features.Name()
			h.applySettings(p.selectionFor(h.Spec))
			for _, old := range p.heads { // the same control with other labels keeps its scores
				if old.Control.Name == q.Control.Name && old.Control.Type == q.Control.Type && old.Control.Multiple == q.Control.Multiple {
					h.progress = old.progress
					h.progress.Retain(h.Labels)
				}
			}
			added = append(added, h)
			heads = append(heads, h)
		}
	}
	for _, old := range p.heads {
		if !slices.Contains(heads, old) {
			for _, ids := range old.annotationsByTask {
				p.annotationRefs.add(ids, -1)
			}
			p.refused.ForgetControl(old.Control.Name)
		}
	}
	p.heads = heads
	p.generation = lastGeneration.Add(1)
	return added
}

// selectionFor returns the selection for a new head: the pinned settings, else the stored
// selection, else the defaults.
func (p *project) selectionFor(q *head.Spec) tune.Selection {
	if s, ok := p.settings[q.Control.Name]; ok && p.pinned {
		return tune.Selection{Settings: tune.Fit(q, s), Pinned: true}
	}
	if p.adapted.Of(q) {
		s := p.adapted.Selection()
		s.Settings = tune.Fit(q, s.Settings)
		return s
	}
	if c, ok := p.storedSelections[q.Control.Name]; ok && tune.Tunable(q) && c.Adapter == "" {
		return c
	}
	return tune.Selection{Settings: tune.Defaults(q)}
}

// trainFromStore trains heads without examples on tasks, starting from the checkpoint's duals,
// and counts the tasks anew.
// The error is that of reading tasks.
func (l *Learner) trainFromStore(p *project, heads []*onlineHead, tasks iter.Seq2[event.TaskState, error], ck stored.Checkpoint) error {
	duals := make([]map[event.TaskID][]float32, len(heads))
	for i, h := range heads {
		duals[i] = ck.Duals(h.Key, p.features.Name())
	}
	for t, err := range tasks {
		if err != nil {
			return err
		}
		for i, h := range heads {
			l.learnTask(p, h, t, duals[i][t.Task.ID], false)
			delete(duals[i], t.Task.ID)
		}
		p.count(t)
	}
	p.settled = false
	p.unsaved = true
	return nil
}

// learnTask encodes a task and has a head learn it. An answer that the model refuses is
// removed and recorded in p.refused: a retry would not help, and other tasks wait. duals and
// test are as for onlineHead.learn.
func (l *Learner) learnTask(p *project, h *onlineHead, t event.TaskState, duals []float32, test bool) learnResult {
	if t.Deleted || len(t.Annotations) == 0 {
		p.refused.Record(t.Task.ID, h.Control.Name, "")
		return learnResult{forgotten: h.forget(t.Task.ID)}
	}
	x, missing := p.features.Example(h.Spec, t.Task.Data)
	ch, err := h.learn(t, x, duals, test)
	reason := ""
	switch {
	case err != nil:
		reason = err.Error()
		h.forget(t.Task.ID)
		ch = learnResult{forgotten: true, refused: true}
	case ch.unreadable > 0:
		reason = ch.reason
		ch.refused = true
	}
	p.refused.Record(t.Task.ID, h.Control.Name, reason)
	h.markMissing(t.Task.ID, missing)
	return ch
}

// applyDelta changes the heads of a project by a delta. After an error the project has a part
// of the delta.
func (l *Learner) applyDelta(ctx context.Context, p *project, d *event.Delta) error {
	reconfigure := d.ConfigChanged || d.New || d.Meta.Gone != p.meta.Gone
	p.meta = d.Meta
	if reconfigure {
		if added := p.configure(); !d.New {
			// The store has the raw results, from which new heads learn, and all are counted anew.
			st, err := l.store.Load(ctx, p.meta.Project)
			if err != nil {
				return fmt.Errorf("load project %d: %w", p.meta.Project, err)
			}
			if err := l.trainFromStore(p, added, st.Labelled, stored.Checkpoint{}); err != nil {
				return err
			}
		}
		p.settled = false
	}
	for _, t := range d.Tasks {
		for _, h := range p.heads {
			ch := l.learnTask(p, h, t, nil, true)
			if ch.refused {
				l.metrics.Refused.WithLabelValues(strconv.FormatInt(int64(p.meta.Project), 10), h.Control.Name).Inc()
			}
			if ch.learned || ch.forgotten {
				p.settled, p.unsaved = false, true
			}
			l.metrics.CountLearned(ch.learned, ch.forgotten, ch.unreadable)
		}
		p.count(t)
	}
	if len(p.versions) == 0 {
		p.addVersion(event.Version{CreatedAt: l.o.Now().UTC(), Reason: ReasonFirst}, nil)
	}
	return nil
}

// optimize optimizes each head until the context ends, and reports whether all of them are
// within the tolerance.
func (p *project) optimize(ctx context.Context, tolerance float64) bool {
	p.settled = true
	for _, h := range p.heads {
		p.settled = h.model.Optimize(ctx, tolerance).Done && p.settled
	}
	return p.settled
}

// labels counts the annotations that some head learned from.
func (p *project) labels() int { return len(p.annotationRefs) }
