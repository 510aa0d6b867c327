package learner

import (
	"maps"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
)

// rollback makes an earlier version live: models with its settings learn from all labels there
// are now, and the encoder adapts to as many first labels as it had. The settings are pinned until a person requests a retrain, and a pending or running
// retrain is cancelled. to is the version's name; "" means the one before the live version. It
// reports whether the live version changed. A failure is logged, since no retry would help.
func (l *Learner) rollback(p *project, to string) bool {
	log := l.o.Logger.WithField("project", p.meta.Project)
	at := event.LiveIndex(p.versions) - 1
	if to != "" {
		at = slices.IndexFunc(p.versions, func(v event.Version) bool { return v.Name == to })
	}
	if at < 0 {
		log.WithField("version", to).Warn("no such version to roll back to")
		return false
	}
	if p.versions[at].Live {
		return false
	}
	p.keepSettings()
	v, err := p.setLive(at)
	if err != nil {
		log.WithError(err).Error("cannot roll back")
		return false
	}
	p.settings, p.heldAdaptation, p.pinned = maps.Clone(v.Heads), v.AdaptedLabels, true
	if p.settings == nil {
		p.settings = map[string]model.Settings{}
	}
	for _, h := range p.heads {
		if _, ok := p.settings[h.Control.Name]; !ok {
			p.settings[h.Control.Name] = tune.Defaults(h.Spec)
		}
		h.applySettings(p.selectionFor(h.Spec))
		h.relabelled = true // its encoder may have to adapt to other labels
	}
	// The last command counts: it cancels a retrain that was requested before.
	p.pending = nil
	p.generation = lastGeneration.Add(1)
	p.settled, p.unsaved = false, true
	return true
}

// settingsPinned reports whether a rollback has pinned the settings of a head.
func (p *project) settingsPinned() bool {
	return slices.ContainsFunc(p.heads, func(h *onlineHead) bool { return h.selection.Pinned })
}

// rebuildModel replaces the model by one with other settings, which starts from its duals.
func (h *onlineHead) rebuildModel(s model.Settings) {
	old := h.model
	h.model = h.Kind.NewModel(h.Spec, s)
	old.Duals(func(e model.Example, p []float32) bool {
		if err := h.model.UpsertWarm(e, p); err != nil {
			panic("learner: an example that was held is refused: " + err.Error())
		}
		return true
	})
}

// Version returns the name of the live version in the last snapshot, "" before there is one.
// It never waits for learning. Safe for concurrent use.
func (l *Learner) Version(p event.ProjectID) string {
	if s := l.snapshot(p); s != nil {
		return s.status.Version
	}
	return ""
}

// Versions returns the versions of a project in the last snapshot, oldest first, nil before
// there are any. Only the learner can read their Settings. Safe for concurrent use.
func (l *Learner) Versions(p event.ProjectID) []event.Version {
	if s := l.snapshot(p); s != nil {
		return slices.Clone(s.versions)
	}
	return nil
}
