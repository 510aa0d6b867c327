package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/push"
)

// prelabeller lets the API ask for predictions of all tasks.
type prelabeller struct{ *App }

var _ api.Prelabeller = prelabeller{}

// Prelabel asks for predictions of a project in which a model can say something.
func (p prelabeller) Prelabel(ctx context.Context, id event.ProjectID) (time.Time, error) {
	got, err := apiProjects(p).Get(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	if meta, err := p.Store.Meta(ctx, id); err == nil && meta.Gone {
		return time.Time{}, withStatus{fmt.Errorf("Label Studio no longer has project %d", id), http.StatusConflict} //nolint:staticcheck // a name begins it
	}
	if _, none := p.Connection.Client(); none != nil {
		return time.Time{}, withStatus{none, http.StatusConflict}
	}
	if err := p.Connection.LeftAlone(id); err != nil {
		return time.Time{}, withStatus{err, http.StatusConflict}
	}
	if len(got.Heads) == 0 {
		return time.Time{}, withStatus{fmt.Errorf("nothing in the label config of project %d is learned, so there is nothing to predict: see `hone status --project %d`", id, id), http.StatusConflict}
	}
	return p.Sampler.Prelabel(ctx, id)
}

// describeStored is what the API says of the predictions that Label Studio stores.
func describeStored(st push.Stored) *api.Predictions {
	out := &api.Predictions{
		QueueDiffering: st.QueueDiffering, OthersDiffering: st.OthersDiffering, Others: st.Others,
		Staging: st.Staging, StagingLeft: st.StagingLeft,
	}
	if !st.OldestDiffering.IsZero() {
		out.DifferingSeconds = max(0, time.Since(st.OldestDiffering).Seconds())
	}
	if l := st.Prelabel; !l.Asked.IsZero() {
		out.Prelabel = &api.Prelabel{
			Asked: l.Asked, Done: timePtr(l.Done), Tasks: l.Tasks, Predicted: l.Predicted, Abstained: l.Abstained, Refused: l.Refused,
			Version: l.Version, Fault: l.Fault,
		}
	}
	return out
}
