package learner

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/learner/tune"
)

// projectState is what the learner keeps of a project beside its versions and its
// checkpoint, in event.ProjectCommit.LearnerState. It is stored with every commit,
// which a checkpoint is too large for.
type projectState struct {
	// Pinned is true while a rollback holds the live version's settings.
	Pinned bool `json:"pinned,omitempty"`
	// Chosen are the settings that the labels asked for last, by control name.
	Chosen map[string]tune.Selection `json:"chosen,omitempty"`
	// Snapshot is the number of the last snapshot.
	Snapshot uint64          `json:"snapshot,omitempty"`
	Pending  *pendingRetrain `json:"pending,omitempty"`
	// Progress is how well predictions turned out, by control name.
	Progress map[string]*score.Prequential `json:"progress,omitempty"`
}

// pendingRetrain is a retrain that was asked for and is not done.
type pendingRetrain struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Again is true when it was done without the vectors of some examples: it is to be
	// done once more when they are there.
	Again bool `json:"again,omitempty"`
}

// readProjectState reads what write wrote; the zero state of nothing.
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
	return s, nil
}

func (s projectState) write() []byte { return marshal(s) }

// state is the project's state as it is now.
func (p *project) state() projectState {
	s := projectState{Pinned: p.pinned, Chosen: p.selections(), Snapshot: p.sequence, Pending: p.pending, Progress: map[string]*score.Prequential{}}
	for _, h := range p.heads {
		s.Progress[h.Control.Name] = h.progress
	}
	return s
}
