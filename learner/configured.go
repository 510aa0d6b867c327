package learner

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
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
	was := p.values
	p.configured, p.values = configured, l.o.Settings.Values(configured)
	for _, h := range p.heads {
		h.Spec = h.WithSettings(p.values)
	}
	l.o.Logger.WithField("project", p.meta.Project).WithField("settings", configured).Info("the settings of a project have changed")
	if !was.Learning.Same(p.values.Learning) {
		return true, l.relearnAll(ctx, p, delta)
	}
	return true, nil
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
		if err := l.trainFromStore(p, p.heads, st.Labelled, checkpoint{}); err != nil || delta == nil {
			return err
		}
	}
	for _, t := range delta.Tasks {
		for _, h := range p.heads {
			l.learnTask(p, h, t, nil, false)
		}
		p.count(t)
	}
	return nil
}

// snapshotHead returns a head as readers see it.
func (p *project) snapshotHead(h *onlineHead) headSnapshot {
	s := headSnapshot{h.Spec, h.Kind.Snapshot(h.Spec, h.model), nil, head.SilenceOf(h.Spec, p.values.Suggesting, h.progress)}
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
