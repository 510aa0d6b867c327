package push

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/hone-ml/hone/labelstudio"
)

// maxBulkDelete is the number of predictions up to which a version is deleted in
// one request. Label Studio takes 5 ms and more a row for it and answers nobody
// else meanwhile, so more than a second's worth goes row by row.
const maxBulkDelete = 200

// deletePause is the rest Label Studio gets between two such rows.
const deletePause = time.Second

// ownVersion matches the versions hone makes; no other is ever deleted.
var ownVersion = regexp.MustCompile(`^hone-[0-9]+$`)

// ensureModelVersion has the project go by the live version, once Label Studio holds
// rows of it. When the last check was long ago it checks again first: adding a
// backend, for one, sets the version to the backend's title. frontDone says that the
// front of the queue is in order; otherwise as many rows as the front has suffice.
func (p *Project) ensureModelVersion(ctx context.Context, ls LabelStudio, frontDone bool) error {
	r := &p.remote
	if !time.Now().Before(p.checkAt) {
		if err := p.check(ctx, ls); err != nil {
			return err
		}
	}
	r.note = ""
	if r.live == r.version || len(r.rows) == 0 {
		return nil
	}
	if !frontDone && len(r.rows) < p.pusher.o.Front {
		return nil
	}
	if !p.pusher.o.ManageModelVersion {
		r.note = fmt.Sprintf("the project goes by model version %q, not %q, so Label Studio does not follow the queue (manage_model_version is off)", r.live, r.version)
		return nil
	}
	if !p.versionLimiter.Allow() {
		r.note = fmt.Sprintf("something keeps setting the project's model version to %q; hone stops setting %q for a while (to choose the version by hand turn manage_model_version off)", r.live, r.version)
		p.log.Warn("queue: " + r.note)
		return nil
	}
	if _, err := ls.PatchProject(ctx, p.id, labelstudio.ProjectPatch{ModelVersion: &r.version}); err != nil {
		if isRefusal(err) && !labelstudio.IsNotFound(err) {
			// Label Studio knows no prediction of the version: ours are gone.
			r.known = false
			return fmt.Errorf("set model version %s: %w", r.version, err)
		}
		return wrapProjectError(err, "set the project's model version")
	}
	p.log.WithField("version", r.version).WithField("before", r.live).Info("queue: the project goes by the live version now")
	p.pusher.o.Metrics.VersionSet.Inc()
	r.live = r.version
	p.listener.Reached(VersionSet)
	return nil
}

// deleteDuplicates deletes rows that would come before the queue whatever it says.
// Those of labelled tasks can wait: nobody is asked for them unless the last
// annotation is deleted.
func (p *Project) deleteDuplicates(ctx context.Context, ls LabelStudio) error {
	for _, r := range slices.Clone(p.remote.duplicates) {
		if p.isHidden(r.task) {
			continue
		}
		if err := p.apply(ctx, ls, edit{op: deleteRow, task: r.task, id: r.id}); err != nil {
			return err
		}
	}
	return nil
}

// trimTail deletes rows far behind the queue and gives the front room again.
func (p *Project) trimTail(ctx context.Context, ls LabelStudio) error {
	queued := setOf(p.queue.Tasks)
	rows := p.servedRows()
	behind := slices.DeleteFunc(slices.Clone(rows), func(r queueRow) bool { return queued[r.task] })
	slices.SortFunc(behind, compareRows)
	var edits []edit
	size := p.queue.Size
	if size < 1 {
		size = p.pusher.o.QueueSize
	}
	for i := len(behind) - 1; i >= size; i-- {
		edits = append(edits, edit{op: deleteRow, task: behind[i].task, id: behind[i].id})
	}
	if len(edits) == 0 {
		edits = rescale(rows, rescaleBelow)
	}
	return p.applyAll(ctx, ls, edits)
}

// deleteOldVersions deletes the predictions of superseded versions of hone's own. The
// version the project goes by is never touched: deleting it would reset the
// project's setting. Nor is one that holds more than was listed: somebody may have asked
// for those, and they have to outlive it.
func (p *Project) deleteOldVersions(ctx context.Context, ls LabelStudio) error {
	r := &p.remote
	for _, v := range slices.Sorted(maps.Keys(r.counts)) {
		if !ownVersion.MatchString(v) || v == r.version || v == r.live || r.counts[v] == 0 {
			continue
		}
		if p.interrupt.Pending() {
			return ErrSuperseded
		}
		project, counts, err := p.readProject(ctx, ls)
		if err != nil {
			return err
		}
		rows := r.rowsOf(v)
		if project.ModelVersion == v || counts[v] > len(rows) {
			return r.disproved("it counts %d predictions of %s, not %d, and goes by %q", counts[v], v, len(rows), project.ModelVersion)
		}
		if slices.ContainsFunc(rows, func(id labelstudio.PredictionID) bool { return !p.pool.Has(r.others[id].task) }) {
			if counts[v] < len(rows) {
				return r.disproved("it counts %d predictions of %s, not %d", counts[v], v, len(rows))
			}
			continue // hone has not heard of the tasks yet, or was told falsely that they are gone
		}
		if counts[v] > maxBulkDelete {
			if err := p.deleteVersionGradually(ctx, ls, v, rows); err != nil {
				return err
			}
		} else if err := p.deleteVersion(ctx, ls, v); err != nil {
			return err
		}
		p.log.WithField("version", v).Infof("queue: deleted %d predictions of a superseded version", r.counts[v])
		delete(r.counts, v)
	}
	p.listener.Reached(Cleaned)
	return nil
}

// rowsOf are the rows of a version other than the queue's.
func (r *remoteState) rowsOf(version string) (ids []labelstudio.PredictionID) {
	for id, o := range r.others {
		if o.version == version {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (p *Project) deleteVersion(ctx context.Context, ls LabelStudio, version string) error {
	if err := p.pusher.limit.Wait(ctx); err != nil {
		return err
	}
	if _, err := ls.DeleteModelVersion(ctx, p.id, version); err != nil && !labelstudio.IsNotFound(err) {
		return fmt.Errorf("delete the predictions of %s: %w", version, err)
	}
	for _, id := range p.remote.rowsOf(version) {
		delete(p.remote.others, id)
	}
	p.pusher.o.Metrics.Writes.WithLabelValues("delete_version").Inc()
	return nil
}

// deleteVersionGradually deletes row by row, with a pause before each; what is left when a
// newer queue comes is deleted after it.
func (p *Project) deleteVersionGradually(ctx context.Context, ls LabelStudio, version string, rows []labelstudio.PredictionID) error {
	r := &p.remote
	for _, id := range rows {
		if err := p.rest(ctx, ls); err != nil {
			return err
		}
		if r.live == version { // somebody went back to it meanwhile
			return errReplan
		}
		if err := p.apply(ctx, ls, edit{op: deleteRow, task: r.others[id].task, id: id}); err != nil {
			return err
		}
	}
	return nil
}
