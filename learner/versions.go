package learner

import (
	"maps"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/learner/stored"
)

// keptVersions is the number of versions that are kept for rollbacks.
const keptVersions = 20

// state returns what is to be stored of the project now.
func (p *project) state() stored.State {
	s := stored.State{Pinned: p.pinned, Chosen: p.selections(), Snapshot: p.sequence, Pending: p.pending, Adapted: p.adapted, Progress: map[string]*score.Prequential{}}
	for _, h := range p.heads {
		s.Progress[h.Control.Name] = h.progress
	}
	return s
}

// forCheckpoint returns what a checkpoint holds of the heads.
func (p *project) forCheckpoint() []stored.Head {
	out := make([]stored.Head, len(p.heads))
	for i, h := range p.heads {
		out[i] = stored.Head{Key: h.Key, Model: h.model}
	}
	return out
}

// forCommit returns what to commit of the project. d and checkpoint may be nil.
func (p *project) forCommit(d *event.Delta, checkpoint []byte) event.ProjectCommit {
	c := event.ProjectCommit{
		Project: p.meta.Project, Delta: d, Checkpoint: checkpoint,
		Versions: p.currentVersions(), LearnerState: p.state().Write(), Settings: p.configured,
	}
	if c.Settings == nil {
		c.Settings = map[string]string{}
	}
	return c
}

// currentVersions returns the versions, the live one with its present settings.
func (p *project) currentVersions() []event.Version {
	out := slices.Clone(p.versions)
	if at := event.LiveIndex(out); at >= 0 {
		out[at].Settings = stored.VersionSettings{Heads: p.settings, AdaptedLabels: p.adaptedLabels()}.Write()
	}
	return out
}

// adaptedLabels is to how many labels the encoder of the live version has adapted, or will have once it is as
// a rollback holds it.
func (p *project) adaptedLabels() int {
	switch {
	case p.pinned:
		return p.heldAdaptation
	case p.adapted != nil:
		return p.adapted.Labels
	}
	return 0
}

// setLive makes the version at the index the live one and returns its settings. The version
// that was live keeps its present settings.
func (p *project) setLive(at int) (stored.VersionSettings, error) {
	settings, err := stored.ReadVersionSettings(p.versions[at])
	if err != nil {
		return settings, err
	}
	versions := p.currentVersions()
	for i := range versions {
		versions[i].Live = i == at
	}
	p.versions = versions
	return settings, nil
}

// keepSettings records the present settings of the models in the live version, for a rollback
// to it.
func (p *project) keepSettings() {
	settings := maps.Clone(p.settings)
	if settings == nil {
		settings = map[string]model.Settings{}
	}
	for _, h := range p.heads {
		settings[h.Control.Name] = h.model.Settings()
	}
	p.settings = settings
}

// addVersion appends a live version with the settings.
func (p *project) addVersion(v event.Version, settings map[string]model.Settings) {
	v.Name = event.NextVersionName(p.versions)
	v.Settings = stored.VersionSettings{Heads: settings, AdaptedLabels: p.adaptedLabels()}.Write()
	p.versions = append(slices.Clone(p.versions), v)
	// The settings were just encoded, so decoding them cannot fail.
	now, _ := p.setLive(len(p.versions) - 1)
	p.settings, p.pinned = now.Heads, false
	if extra := len(p.versions) - keptVersions; extra > 0 {
		p.versions = p.versions[extra:]
	}
}

// version returns the name of the live version, "" before there is one.
func (p *project) version() string {
	if at := event.LiveIndex(p.versions); at >= 0 {
		return p.versions[at].Name
	}
	return ""
}
