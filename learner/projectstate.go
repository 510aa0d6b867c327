package learner

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/learner/tune"
)

// projectState is stored with every commit of a project, in event.ProjectCommit.LearnerState.
// Versions have their own field, and checkpoints are too large for every commit.
type projectState struct {
	// Pinned is true while a rollback holds the live version's settings.
	Pinned bool `json:"pinned,omitempty"`
	// Chosen holds the last selection by control name.
	Chosen map[string]tune.Selection `json:"chosen,omitempty"`
	// Snapshot is the number of the last snapshot.
	Snapshot uint64          `json:"snapshot,omitempty"`
	Pending  *pendingRetrain `json:"pending,omitempty"`
	// Adapted is the adapter in use, nil without one.
	Adapted *adaptation `json:"adapted,omitempty"`
	// Progress holds the scores of predictions by control name.
	Progress map[string]*score.Prequential `json:"progress,omitempty"`
}

// pendingRetrain is a retrain that was requested and has not been done.
type pendingRetrain struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Again is true when the retrain was done without the vectors of some examples, and is to
	// be repeated when they have arrived.
	Again bool `json:"again,omitempty"`
}

// readProjectState decodes what write encoded. It returns the zero state for no bytes and
// when there is an error, which names what is damaged.
func readProjectState(b []byte) (projectState, error) {
	var s projectState
	if len(b) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return projectState{}, fmt.Errorf("the learner's state: %w", err)
	}
	for name, c := range s.Chosen {
		if err := c.Settings.Validate(); err != nil {
			return projectState{}, fmt.Errorf("the learner's state, control %q: %w", name, err)
		}
	}
	if s.Adapted != nil {
		if err := s.Adapted.Settings.Validate(); err != nil {
			return projectState{}, fmt.Errorf("the learner's state, adapter %q: %w", s.Adapted.Adapter, err)
		}
	}
	return s, nil
}

func (s projectState) write() []byte { return marshal(s) }

// state returns what is to be stored of the project now.
func (p *project) state() projectState {
	s := projectState{Pinned: p.pinned, Chosen: p.selections(), Snapshot: p.sequence, Pending: p.pending, Adapted: p.adapted, Progress: map[string]*score.Prequential{}}
	for _, h := range p.heads {
		s.Progress[h.Control.Name] = h.progress
	}
	return s
}
