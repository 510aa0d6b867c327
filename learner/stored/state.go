// Package stored holds the forms in which the learner stores what it knows of a project: a checkpoint of
// its models, the record beside it, and the settings of a version.
package stored

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/learner/tune"
)

// State is stored with every commit of a project, in event.ProjectCommit.LearnerState.
// Versions have their own field, and checkpoints are too large for every commit.
type State struct {
	// Pinned is true while a rollback holds the live version's settings.
	Pinned bool `json:"pinned,omitempty"`
	// Chosen holds the last selection by control name.
	Chosen map[string]tune.Selection `json:"chosen,omitempty"`
	// Snapshot is the number of the last snapshot.
	Snapshot uint64          `json:"snapshot,omitempty"`
	Pending  *PendingRetrain `json:"pending,omitempty"`
	// Adapted is the adapter in use, nil without one.
	Adapted *adapt.Adaptation `json:"adapted,omitempty"`
	// Progress holds the scores of predictions by control name.
	Progress map[string]*score.Prequential `json:"progress,omitempty"`
}

// PendingRetrain is a retrain that was requested and has not been done.
type PendingRetrain struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Again is true when the retrain was done without the vectors of some examples, and is to
	// be repeated when they have arrived.
	Again bool `json:"again,omitempty"`
}

// ReadState decodes what Write encoded. It returns the zero state for no bytes and
// when there is an error, which names what is damaged.
func ReadState(b []byte) (State, error) {
	var s State
	if len(b) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return State{}, fmt.Errorf("the learner's state: %w", err)
	}
	for name, c := range s.Chosen {
		if err := c.Settings.Validate(); err != nil {
			return State{}, fmt.Errorf("the learner's state, control %q: %w", name, err)
		}
	}
	if s.Adapted != nil {
		if err := s.Adapted.Settings.Validate(); err != nil {
			return State{}, fmt.Errorf("the learner's state, adapter %q: %w", s.Adapted.Adapter, err)
		}
	}
	return s, nil
}

// Write encodes the state.
func (s State) Write() []byte { return marshal(s) }
