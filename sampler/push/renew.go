package push

import (
	"context"
	"slices"

	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// renewIDs gives what an older hone has suggested ids that Label Studio's editor can
// show: of rows behind the front, and of answers of /predict, which nothing else would
// write again before the next version. It goes from the row that was written first to
// the first that has ids of today: those behind it were written by a hone that is no
// older. After most starts that is one row to read. A request that fails is no fault of
// the queue, which is written by then, and is made again at the next check.
func (p *Project) renewIDs(ctx context.Context, ls LabelStudio) error {
	slices.SortStableFunc(p.inherited, func(a, b labelstudio.PredictionRow) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	for ; len(p.inherited) > 0; p.inherited = p.inherited[1:] {
		if p.interrupt.Pending() {
			return ErrSuperseded
		}
		was := p.inherited[0]
		if err := p.pusher.limit.Wait(ctx); err != nil {
			return err
		}
		now, result, err := ls.Prediction(ctx, was.ID)
		if labelstudio.IsNotFound(err) {
			continue
		}
		if err != nil {
			return p.renewLater(ctx, err)
		}
		if now.Task != was.Task || !now.UpdatedAt.Equal(was.UpdatedAt) {
			continue // written since
		}
		renewed, current := regions.RenewIDs(result)
		if renewed == nil && current {
			break
		}
		if renewed == nil {
			continue
		}
		if err := p.rest(ctx, ls); err != nil {
			return err
		}
		stored, err := ls.UpdatePrediction(ctx, was.ID, labelstudio.PredictionWrite{Task: was.Task, Result: renewed, Score: *was.Score, ModelVersion: was.ModelVersion})
		if labelstudio.IsNotFound(err) {
			continue
		}
		if err != nil {
			return p.renewLater(ctx, err)
		}
		p.pusher.o.Metrics.Writes.WithLabelValues(string(updateRow)).Inc()
		if held, is := p.remote.rows[was.Task]; is && held.id == was.ID {
			p.writes++
			held.updated, held.written = stored.UpdatedAt, p.writes
			p.remote.rows[was.Task] = held
		}
	}
	p.inherited = nil
	return nil
}

func (p *Project) renewLater(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		p.log.WithError(err).Warn("queue: an older hone's suggestions could not be given ids that can be shown, trying again later")
		p.pusher.o.Metrics.Failures.WithLabelValues("renew").Inc()
	}
	return ctx.Err()
}
