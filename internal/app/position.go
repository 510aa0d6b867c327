package app

import (
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/hone-ml/hone/reconcile"
)

// position is where hone stands in the log of changes.
type position struct {
	log  *boltlog.Log
	pipe *pipeline.Pipeline
}

var _ reconcile.Log = position{}

func (p position) Heard() (uint64, error) { return p.log.Last(string(event.Changes)) }
func (p position) Applied(id event.ProjectID) (uint64, error) {
	return p.pipe.Handled(core.LearnerGroup, event.Changes, id)
}

// lanes says how the learner follows the changes, project by project.
func (a *App) lanes() pipeline.Lanes {
	return pipeline.Lanes{
		Known: a.known,
		Anew: func(id event.ProjectID) event.Event {
			return &event.ReconcileDue{Project: id, At: time.Now(), Contents: true, Reason: "its changes could not be learned for too long"}
		},
	}
}
