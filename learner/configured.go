package learner

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/settings"
)

// changeSettings changes a project's settings and makes its models what they are with the
// new ones: a function of labels and settings. delta is what the batch has changed and is
// not stored yet, nil for nothing. It reports whether anything is another now.
func (l *Learner) changeSettings(ctx context.Context, p *project, e *event.Configured, delta *event.Delta) (changed bool, err error) {
	configured := e.Change(p.configured)
	if maps.Equal(configured, p.configured) {
		return false, nil
	}
	was, encoder, adapted := p.values, p.features, p.adapted
	l.setSettings(p, configured)
	p.staleAdapters = p.staleAdapters || adapted != nil && p.adapted == nil
	var described []*onlineHead // anew
	for _, h := range p.heads {
		old := h.Spec
		if h.Spec = old.WithSettings(p.values); !h.SameLines(old) {
			described = append(described, h)
		}
	}
	l.o.Logger.WithField("project", p.meta.Project).WithField("settings", settings.Abridged(configured)).Info("the settings of a project have changed")
	if p.features != encoder {
		p.storedSelections = nil // of other features
		p.configure()            // new heads, since the encoder is another, or adapts no more
		return true, l.relearnAll(ctx, p, delta)
	}
	if len(described) > 0 {
		p.rebuildPriors(described)
	}
	if !was.Learning.Same(p.values.Learning) {
		return true, l.relearnAll(ctx, p, delta)
	}
	return true, nil
}

// setSettings puts settings of a project in force. Its heads are still those of the settings
// before.
func (l *Learner) setSettings(p *project, configured map[string]string) {
	p.configured, p.values = configured, l.o.Settings.Values(configured)
	base := l.encoders.Of(p.values.Encoder)
	if base == p.base && p.values.Adapt == settings.AdaptAuto {
		return
	}
	p.base, p.features = base, base
	l.dropAdapters(p)
}

// relearnAll has the heads read every annotation again, those of a batch that is not stored
// yet last. What they make of the tasks before is replaced, so nothing of it is left.
func (l *Learner) relearnAll(ctx context.Context, p *project, delta *event.Delta) error {
	p.settled, p.unsaved = false, true
	if delta == nil || !delta.New { // else nothing that is stored counts
		st, err := l.store.Load(ctx, p.meta.Project)
		if err != nil {
			return fmt.Errorf("load project %d: %w", p.meta.Project, err)
		}
		for t, err := range st.Labelled {
			if err != nil {
				return err
			}
			l.learnByAll(p, t)
		}
	}
	if delta != nil {
		for _, t := range delta.Tasks {
			l.learnByAll(p, t)
		}
	}
	return nil
}

func (l *Learner) learnByAll(p *project, t event.TaskState) {
	for _, h := range p.heads {
		l.learnTask(p, h, t, nil, false)
	}
	p.count(t)
}

// settingsAfter are the places in a batch from which on changes of settings count, given
// its changes: those before are about a project that is no more when the changes make
// another one of it, before being what was known.
func settingsAfter(batch []event.Event, before event.Meta, delta *event.Delta) int {
	if delta == nil || !delta.New {
		return 0
	}
	return slices.IndexFunc(batch, func(e event.Event) bool {
		c, is := e.(*event.Changed)
		return is && (c.CreatedAt == delta.Meta.CreatedAt || before.CreatedAt == 0)
	})
}

// snapshotHead returns a head as readers see it.
func (p *project) snapshotHead(h *onlineHead) headSnapshot {
	s := headSnapshot{h.Spec, h.Kind.Snapshot(h.Spec, h.model), nil, h.SilenceBy(p.values.Suggesting, h.progress), h.model.Settings().Parts}
	if s.suggester = s.predictor; len(s.silence.Labels) > 0 {
		s.suggester = h.Kind.Snapshot(h.WithSilent(s.silence.Labels), h.model)
	}
	return s
}

// suggested returns those of some heads that suggest anything, as they suggest it.
func suggested(heads []headSnapshot) []headSnapshot {
	out := slices.DeleteFunc(slices.Clone(heads), func(h headSnapshot) bool { return h.silence.All })
	for i := range out {
		out[i].predictor = out[i].suggester
	}
	return out
}

// Settings are the settings of a project that are in force as of its last snapshot, and
// what was set of them, by key. It never waits for learning.
func (l *Learner) Settings(p event.ProjectID) (settings.Values, map[string]string) {
	if s := l.snapshot(p); s != nil {
		return s.values, s.configured
	}
	return l.o.Settings.Values(nil), nil
}
