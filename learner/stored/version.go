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
}

// ReadVersionSettings returns the settings of a version by control name, nil without any. The error names what
// is damaged.
func ReadVersionSettings(v event.Version) (map[string]model.Settings, error) {
	var s VersionSettings
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
