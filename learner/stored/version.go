package stored

import (
	"encoding/json"
	"fmt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
)

// VersionSettings is stored in event.Version.Settings. A rollback to the version restores it.
type VersionSettings struct {
	// Heads holds the settings by control name: for the live version those it was made with,
	// for others those they had last. A control without an entry has the defaults.
	Heads map[string]model.Settings `json:"heads,omitempty"`
	// AdaptedLabels is to how many labels the encoder had adapted then, 0 for none.
	AdaptedLabels int `json:"adapted_labels,omitempty"`
}

// ReadVersionSettings returns the settings of a version, none after an error, which names what is damaged.
func ReadVersionSettings(v event.Version) (VersionSettings, error) {
	var s VersionSettings
	if len(v.Settings) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(v.Settings, &s); err != nil {
		return VersionSettings{}, fmt.Errorf("settings of version %s: %w", v.Name, err)
	}
	for name, set := range s.Heads {
		if err := set.Validate(); err != nil {
			return VersionSettings{}, fmt.Errorf("settings of version %s, control %q: %w", v.Name, name, err)
		}
	}
	return s, nil
}

// Write encodes the settings.
func (s VersionSettings) Write() []byte { return marshal(s) }

// marshal returns v as JSON. It panics when v has no JSON: all that is stored are names, dates,
// validated settings and finite scores.
func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic("learner: " + err.Error())
	}
	return out
}
