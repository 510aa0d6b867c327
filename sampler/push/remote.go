package push

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// remoteState mirrors the queue's predictions that Label Studio holds, as far as known.
// list writes it as a whole; every write to Label Studio keeps it up to date.
type remoteState struct {
	known   bool                      // false: list before the next plan
	version string                    // all rows are of this version
	live    string                    // the project's model_version when last read
	counts  map[string]int            // predictions by version when last read
	rows    map[event.TaskID]queueRow // the rows of the queue, one a task
	// duplicates are second rows of a task, and rows without a usable score.
	duplicates []queueRow
	// total is how many predictions of the version Label Studio should count, and
	// held how many of them a task has, answers of /predict among them.
	total int
	held  map[event.TaskID]int
	// highest is the highest id of a prediction seen. Label Studio gives no id twice
	// unless it was restored from a backup.
	highest labelstudio.PredictionID
	// deleted are held tasks that are said to be deleted. Their predictions went with
	// them, unless that was a lie; the next count tells.
	deleted map[event.TaskID]struct{}
	// excluded are tasks that Label Studio takes no prediction for.
	excluded map[event.TaskID]struct{}
	imported bool   // a bulk import was tried for this version
	note     string // why the project does not go by the version

	old        []queueRow // rows of oldVersion, to delete one by one
	oldVersion string
}

// list asks Label Studio what it holds under the live version.
func (p *Project) list(ctx context.Context, ls LabelStudio) error {
	before := &p.remote
	version := p.queue.Version
	r := remoteState{version: version, rows: map[event.TaskID]queueRow{}, held: map[event.TaskID]int{}, excluded: before.excluded}
	r.imported = before.imported && before.version == version
	first := p.checkAt.IsZero()
	if first {
		p.inherited = nil
	}
	var err error
	if r.live, r.counts, err = p.readModelVersion(ctx, ls); err != nil {
		return err
	}
	if r.total = r.counts[version]; r.total > 0 {
		for stored, err := range ls.Predictions(ctx, p.id) {
			if err != nil {
				return wrapProjectError(err, "list predictions")
			}
			r.highest = max(r.highest, stored.ID)
			if first && ownVersion.MatchString(stored.ModelVersion) && stored.Score != nil {
				p.inherited = append(p.inherited, stored)
			}
			if stored.ModelVersion == version {
				r.held[stored.Task]++
				r.addRow(stored)
			}
		}
	}
	for task, now := range r.rows {
		if old, had := before.rows[task]; had && now.isUnchanged(old) {
			now.suggestion, now.written = old.suggestion, old.written
			r.rows[task] = now
		}
	}
	r.known = true
	p.surplus.recordListing(len(r.duplicates) == 0 && maps.EqualFunc(r.rows, before.rows, queueRow.isUnchanged), p.pusher.o.CheckEvery)
	p.remote, p.checked = r, p.writes
	p.checkAt = time.Now().Add(p.pusher.o.CheckEvery)
	return nil
}

// addRow adds one row of the live version. A task counts with its lowest score,
// whichever row has it, so second rows are duplicates. A row without a score comes
// first, at least on SQLite.
func (r *remoteState) addRow(stored labelstudio.PredictionRow) {
	at := queueRow{id: stored.ID, task: stored.Task, updated: stored.UpdatedAt, seen: time.Now()}
	if stored.Score != nil {
		at.score = *stored.Score
	}
	if at.score >= maxQueueScore {
		return // an answer of /predict
	}
	_, twice := r.rows[at.task]
	if twice || !(at.score > minScore) {
		r.duplicates = append(r.duplicates, at)
		return
	}
	r.rows[at.task] = at
}

// remove forgets a row that was deleted. A row of a superseded version is not held
// and changes nothing.
func (r *remoteState) remove(task event.TaskID, id labelstudio.PredictionID) {
	if i := slices.IndexFunc(r.duplicates, func(d queueRow) bool { return d.id == id }); i >= 0 {
		r.duplicates = slices.Delete(r.duplicates, i, i+1)
	} else if kept, has := r.rows[task]; has && kept.id == id {
		delete(r.rows, task)
	} else {
		return
	}
	r.total--
	if r.held[task]--; r.held[task] <= 0 {
		delete(r.held, task)
	}
}

// markDeleted records that a task is said to be deleted.
func (r *remoteState) markDeleted(id event.TaskID) {
	if r.held[id] == 0 {
		return
	}
	if r.deleted == nil {
		r.deleted = map[event.TaskID]struct{}{}
	}
	r.deleted[id] = struct{}{}
}

// forgetDeleted forgets the rows of deleted tasks when Label Studio, which counts n
// predictions of the version, has none of them.
func (r *remoteState) forgetDeleted(n int) {
	gone := 0
	for id := range r.deleted {
		gone += r.held[id]
	}
	if gone == 0 || n != r.total-gone {
		return
	}
	for id := range r.deleted {
		delete(r.rows, id)
		delete(r.held, id)
	}
	r.duplicates = slices.DeleteFunc(r.duplicates, func(d queueRow) bool { _, is := r.deleted[d.task]; return is })
	r.total, r.deleted = n, nil
}

// isUnchanged reports whether nobody has written the row between two readings of it.
func (r queueRow) isUnchanged(as queueRow) bool {
	return r.id == as.id && r.task == as.task && r.score == as.score && r.updated.Equal(as.updated)
}

// isHidden reports whether Label Studio passes over a task's rows: because the task
// is labelled or deleted.
func (p *Project) isHidden(t event.TaskID) bool {
	_, deleted := p.remote.deleted[t]
	return deleted || p.pool.IsLabelled(t)
}

// servedRows are the rows that Label Studio may serve.
func (p *Project) servedRows() []queueRow {
	rows := make([]queueRow, 0, len(p.remote.rows))
	for _, r := range p.remote.rows {
		if !p.isHidden(r.task) {
			rows = append(rows, r)
		}
	}
	return rows
}
