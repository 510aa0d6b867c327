package learner

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
)

// keptVersions is the number of versions that are kept for rollbacks.
const keptVersions = 20

// versionSettings is stored in event.Version.Settings. A rollback to the version restores it.
type versionSettings struct {
	// Heads holds the settings by control name: for the live version those it was made with,
	// for others those they had last. A control without an entry has the defaults.
	Heads map[string]model.Settings `json:"heads,omitempty"`
}

func readVersionSettings(v event.Version) (map[string]model.Settings, error) {
	var s versionSettings
	if len(v.Settings) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(v.Settings, &s); err != nil {
		return nil, fmt.Errorf("settings of version %s: %w", v.Name, err)
	}
	for name, set := range s.Heads {
		if err := set.Validate(); err != nil {
			return nil, fmt.Errorf("settings of version %s, control %q: %w", v.Name, name, err)
		}
	}
	return s.Heads, nil
}

func (s versionSettings) write() []byte { return marshal(s) }

// marshal returns v as JSON. It panics when v has no JSON: all that is stored are names, dates,
// validated settings and finite scores.
func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic("learner: " + err.Error())
	}
	return out
}

// forCommit returns what to commit of the project. d and checkpoint may be nil.
func (p *project) forCommit(d *event.Delta, checkpoint []byte) event.ProjectCommit {
	c := event.ProjectCommit{
		Project: p.meta.Project, Delta: d, Checkpoint: checkpoint,
		Versions: p.currentVersions(), LearnerState: p.state().write(), Settings: p.configured,
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
		out[at].Settings = versionSettings{Heads: p.settings}.write()
	}
	return out
}

// setLive makes the version at the index the live one and returns its settings. The version
// that was live keeps its present settings.
func (p *project) setLive(at int) (map[string]model.Settings, error) {
	settings, err := readVersionSettings(p.versions[at])
	if err != nil {
		return nil, err
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
	v.Settings = versionSettings{Heads: settings}.write()
	p.versions = append(slices.Clone(p.versions), v)
	// The settings were just encoded, so decoding them cannot fail.
	p.settings, _ = p.setLive(len(p.versions) - 1)
	p.pinned = false
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
