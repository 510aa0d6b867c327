package sampler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/labelstudio"
)

// bulkDelete is the number of predictions up to which a version is deleted in
// one request. Label Studio takes 5 ms and more a row for it and answers nobody
// else meanwhile, so more than a second's worth goes row by row.
const bulkDelete = 200

// cleanPause is the rest Label Studio gets between two such rows.
const cleanPause = time.Second

// maintain has the project go by the live version, once Label Studio holds rows
// of it. When the last look was long ago, or always is set for the first time, it
// looks again: adding a backend, for one, sets the version to the backend's title.
func (w *worker) maintain(ctx context.Context, ls LabelStudio, headDone bool) error {
	t := &w.theirs
	if !time.Now().Before(w.checkAt) {
		if err := w.check(ctx, ls); err != nil {
			return err
		}
	}
	t.noted = ""
	if t.live == t.version || len(t.rows) == 0 {
		return nil
	}
	if !headDone && len(t.rows) < w.s.o.Head {
		return nil
	}
	if !w.s.o.ManageModelVersion {
		t.noted = fmt.Sprintf("the project goes by model version %q, not %q, so Label Studio does not follow the queue (manage_model_version is off)", t.live, t.version)
		return nil
	}
	if !w.sets.Allow() {
		note := fmt.Sprintf("something keeps setting the project's model version to %q; hone stops setting %q for a while (to choose the version by hand turn manage_model_version off)", t.live, t.version)
		w.log.Warn("queue: " + note)
		t.noted = note
		return nil
	}
	if err := ls.SetModelVersion(ctx, w.id, t.version); err != nil {
		if refused(err) && !labelstudio.IsNotFound(err) {
			// Label Studio knows no prediction of the version: ours are gone.
			t.known = false
			return fmt.Errorf("set model version %s: %w", t.version, err)
		}
		return goneOr(err, "set the project's model version")
	}
	w.log.WithField("version", t.version).WithField("before", t.live).Info("queue: the project goes by the live version now")
	w.s.metrics.versionSet.Inc()
	t.live = t.version
	w.observe(VersionSet, nil)
	return nil
}

// removeExtra deletes rows that would come before the queue whatever it says.
// Those of labelled tasks can wait: nobody is asked for them unless the last
// annotation is deleted.
func (w *worker) removeExtra(ctx context.Context, ls LabelStudio) error {
	for _, r := range slices.Clone(w.theirs.extra) {
		if w.isHidden(r.task) {
			continue
		}
		if err := w.do(ctx, ls, write{op: remove, task: r.task, id: r.id}); err != nil {
			return err
		}
	}
	return nil
}

// tidy keeps what lies behind the queue short and gives the front room again.
func (w *worker) tidy(ctx context.Context, ls LabelStudio) error {
	queued := map[int64]bool{}
	for _, i := range w.queue {
		queued[int64(i.Task)] = true
	}
	rows := w.visible()
	behind := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return queued[int64(r.task)] })
	slices.SortFunc(behind, byPlace)
	var writes []write
	for i := len(behind) - 1; i >= w.s.o.QueueSize; i-- {
		writes = append(writes, write{op: remove, task: behind[i].task, id: behind[i].id})
	}
	if len(writes) == 0 {
		writes = compact(rows, lowEnough)
	}
	return w.each(ctx, ls, writes)
}

// each makes writes that can wait, and gives way to news.
func (w *worker) each(ctx context.Context, ls LabelStudio, writes []write) error {
	for _, x := range writes {
		if w.pending() {
			return errSuperseded
		}
		if err := w.do(ctx, ls, x); err != nil {
			return err
		}
	}
	return nil
}

// clean deletes the predictions of superseded versions of hone's own. The
// version the project goes by is never touched: deleting it would reset the
// project's setting.
func (w *worker) clean(ctx context.Context, ls LabelStudio) error {
	t := &w.theirs
	for _, v := range slices.Sorted(maps.Keys(t.counts)) {
		if !ownVersion.MatchString(v) || v == t.version || v == t.live {
			continue
		}
		if w.pending() {
			return errSuperseded
		}
		if t.counts[v] > bulkDelete {
			if err := w.cleanSlowly(ctx, ls, v); err != nil {
				return err
			}
		} else {
			if err := w.s.limit.Wait(ctx); err != nil {
				return err
			}
			if err := ls.DeleteModelVersion(ctx, w.id, v); err != nil && !labelstudio.IsNotFound(err) {
				return fmt.Errorf("delete the predictions of %s: %w", v, err)
			}
			w.s.metrics.writes.WithLabelValues("delete_version").Inc()
		}
		w.log.WithField("version", v).Infof("queue: deleted %d predictions of a superseded version", t.counts[v])
		delete(t.counts, v)
	}
	w.observe(Cleaned, nil)
	return nil
}

// cleanSlowly deletes row by row, with a pause before each, and goes on where it
// stopped when news came in between.
func (w *worker) cleanSlowly(ctx context.Context, ls LabelStudio, version string) error {
	t := &w.theirs
	if len(t.old) == 0 || t.oldOf != version {
		t.old, t.oldOf = nil, version
		err := ls.Predictions(ctx, w.id, func(r Row) error {
			if r.ModelVersion == version {
				t.old = append(t.old, row{id: r.ID, task: r.Task})
			}
			return nil
		})
		if err != nil {
			return goneOr(err, "list predictions")
		}
	}
	for len(t.old) > 0 {
		if err := w.settled(ctx, cleanPause); err != nil {
			return err
		}
		if err := w.maintain(ctx, ls, true); err != nil { // it may go on for hours
			return err
		}
		if t.live == version { // somebody went back to it meanwhile
			t.old = nil
			return errReplan
		}
		if err := w.do(ctx, ls, write{op: remove, task: t.old[0].task, id: t.old[0].id}); err != nil {
			return err
		}
		t.old = t.old[1:]
	}
	return nil
}
