package learner

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/learner/tune"
)

// keptVersions is how many versions are kept for a rollback.
const keptVersions = 20

// blob is what the learner keeps in event.Version.Settings. Heads are the
// version's own; the rest belongs to the project and is kept with whichever
// version is live, because it must be stored with every commit, which a
// checkpoint is too large for.
type blob struct {
	// Heads are the settings by control name: those the version was made with, and
	// when it is live no more those it had last. A control without has the defaults.
	Heads map[string]model.Settings `json:"heads,omitempty"`

	Pinned   bool                          `json:"pinned,omitempty"`
	Chosen   map[string]tune.Selection     `json:"chosen,omitempty"`
	Snapshot uint64                        `json:"snapshot,omitempty"`
	Pending  *pending                      `json:"pending,omitempty"`
	Progress map[string]*score.Prequential `json:"progress,omitempty"`
}

// pending is a retrain that was asked for and is not done.
type pending struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Again is true when it was done without the vectors of some examples: it is to be
	// done once more when they are there.
	Again bool `json:"again,omitempty"`
}

func readBlob(v event.Version) (blob, error) {
	var b blob
	if len(v.Settings) == 0 {
		return b, nil
	}
	if err := json.Unmarshal(v.Settings, &b); err != nil {
		return b, fmt.Errorf("settings of version %s: %w", v.Name, err)
	}
	all := map[string]model.Settings{}
	maps.Copy(all, b.Heads)
	for name, c := range b.Chosen {
		all[name+" as chosen"] = c.Settings
	}
	for name, s := range all {
		if err := s.Validate(); err != nil {
			return blob{}, fmt.Errorf("settings of version %s, control %q: %w", v.Name, name, err)
		}
	}
	return b, nil
}

func (b blob) write() []byte {
	out, err := json.Marshal(b)
	if err != nil {
		// Numbers, names and dates; settings are validated, scores are finite.
		panic("learner: " + err.Error())
	}
	return out
}

// live is the index of the live version, -1 without one.
func live(versions []event.Version) int {
	return slices.IndexFunc(versions, func(v event.Version) bool { return v.Live })
}

// nextName is hone-N with the first N that was never used.
func nextName(versions []event.Version) string {
	n := 0
	for _, v := range versions {
		if i, err := strconv.Atoi(strings.TrimPrefix(v.Name, "hone-")); err == nil {
			n = max(n, i)
		}
	}
	return "hone-" + strconv.Itoa(n+1)
}

// stored are the versions as they are to be committed, the live one with the
// project's own state.
func (p *project) stored() []event.Version {
	out := slices.Clone(p.versions)
	at := live(out)
	if at < 0 {
		return out
	}
	b := blob{Heads: p.settings, Pinned: p.pinned, Chosen: p.choices(), Snapshot: p.number, Pending: p.pending, Progress: map[string]*score.Prequential{}}
	for _, h := range p.heads {
		b.Progress[h.Control.Name] = h.progress
	}
	out[at].Settings = b.write()
	return out
}

// setLive makes the version at the index the only live one and returns its
// settings; the others keep theirs only.
func (p *project) setLive(at int) (map[string]model.Settings, error) {
	b, err := readBlob(p.versions[at])
	if err != nil {
		return nil, err
	}
	versions := slices.Clone(p.versions)
	for i := range versions {
		if versions[i].Live {
			versions[i].Settings = blob{Heads: p.settings}.write()
		}
		versions[i].Live = i == at
	}
	p.versions = versions
	return b.Heads, nil
}

// keepSettings has the live version remember the settings that its models have now,
// for a rollback to it.
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
	v.Name = nextName(p.versions)
	v.Settings = blob{Heads: settings}.write()
	p.versions = append(slices.Clone(p.versions), v)
	// The blob was just written, so it reads.
	p.settings, _ = p.setLive(len(p.versions) - 1)
	p.pinned = false
	if extra := len(p.versions) - keptVersions; extra > 0 {
		p.versions = p.versions[extra:]
	}
}

// version is the live version's name, "" before there is one.
func (p *project) version() string {
	if at := live(p.versions); at >= 0 {
		return p.versions[at].Name
	}
	return ""
}
