package push

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// remoteState mirrors the predictions of hone's own versions that Label Studio holds, as
// far as known. list writes it as a whole; every write to Label Studio keeps it up to date.
type remoteState struct {
	known bool // false: list before the next plan
	// version is the one under which the queue is written, all rows are of it. target is
	// the one that shall be; while they differ, predictions of target are made first.
	version, target string
	live            string                     // the project's model_version when last read
	config          string                     // the project's label config when last read
	fits            func(json.RawMessage) bool // whether config has what a result says; nil when not known
	counts          map[string]int             // predictions by version when last read
	rows            map[event.TaskID]queueRow  // the rows of the queue, one a task
	// others are all other rows of hone's versions: answers of /predict and what was made
	// like them, and the rows of other versions.
	others map[labelstudio.PredictionID]otherRow
	// keepsAll is true when people asked for predictions of most tasks: then a task that
	// leaves the queue keeps its own.
	keepsAll bool
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
}

// otherRow is a prediction beside the queue.
type otherRow struct {
	task    event.TaskID
	version string
	score   float64
	said    uint64 // as of a queueRow
	unfit   bool
	updated time.Time
	differs time.Time // since when the model says otherwise, as far as known; zero if it does not
}

// isAnswer reports whether the row was not made for a queue.
func (o otherRow) isAnswer() bool { return o.score >= maxQueueScore }

// list asks Label Studio what it holds of hone's versions.
func (p *Project) list(ctx context.Context, ls LabelStudio) error {
	before := &p.remote
	r := remoteState{
		target: p.queue.Version, rows: map[event.TaskID]queueRow{}, others: map[labelstudio.PredictionID]otherRow{},
		held: map[event.TaskID]int{}, excluded: before.excluded,
	}
	first := p.checkAt.IsZero()
	if first {
		p.inherited = nil
	}
	project, counts, err := p.readProject(ctx, ls)
	if err != nil {
		return err
	}
	r.live, r.counts, r.config = project.ModelVersion, counts, project.LabelConfig
	r.fits = p.fitsOf(r.config)
	form := ""
	if p.pusher.o.Suggester != nil {
		form = p.pusher.o.Suggester.Form(p.id)
	}
	var stored []labelstudio.StoredPrediction
	if r.holdsOwn() {
		for row, err := range ls.StoredPredictions(ctx, p.id) {
			if err != nil {
				return wrapProjectError(err, "list predictions")
			}
			r.highest = max(r.highest, row.ID)
			if !ownVersion.MatchString(row.ModelVersion) && row.ModelVersion != r.target {
				continue
			}
			if first && row.Score != nil {
				p.inherited = append(p.inherited, row.PredictionRow)
			}
			r.addOther(row, before)
			row.Result = nil
			stored = append(stored, row)
		}
	}
	p.chooseVersion(&r)
	r.imported = before.imported && before.version == r.version
	for _, row := range stored {
		if row.ModelVersion == r.version {
			r.total++
			r.held[row.Task]++
			r.addRow(row.PredictionRow)
		}
	}
	for task, now := range r.rows {
		if old, had := before.rows[task]; had && now.isUnchanged(old) {
			now.said, now.written = old.said, old.written
			r.rows[task] = now
		}
	}
	r.known = true
	p.surplus.recordListing(len(r.duplicates) == 0 && maps.EqualFunc(r.rows, before.rows, queueRow.isUnchanged), p.pusher.o.CheckEvery)
	p.remote, p.checked, p.form, p.swept = r, p.writes, form, 0
	p.checkAt = time.Now().Add(p.pusher.o.CheckEvery)
	return nil
}

// holdsOwn reports whether Label Studio counts predictions of any version of hone's.
func (r *remoteState) holdsOwn() bool {
	for v, n := range r.counts {
		if n > 0 && (v == r.target || ownVersion.MatchString(v)) {
			return true
		}
	}
	return false
}

// addOther adds a listed row beside the queue. What hone itself wrote there is known, if
// nobody has written it since: Label Studio may store it in another form.
func (r *remoteState) addOther(stored labelstudio.StoredPrediction, before *remoteState) {
	at := otherRow{
		task: stored.Task, version: stored.ModelVersion, said: hashSuggestion(stored.Result), updated: stored.UpdatedAt,
		unfit: r.fits != nil && !r.fits(stored.Result),
	}
	if stored.Score != nil {
		at.score = *stored.Score
	}
	if old, had := before.others[stored.ID]; had && old.task == at.task && old.version == at.version && old.updated.Equal(at.updated) {
		at.said, at.differs = old.said, old.differs
	}
	r.others[stored.ID] = at
}

// addRow moves one row of the live version into the queue, unless it is an answer of
// /predict. A task counts with its lowest score, whichever row has it, so second rows are
// duplicates. A row without a score comes first on SQLite, and last on PostgreSQL.
func (r *remoteState) addRow(stored labelstudio.PredictionRow) {
	listed := r.others[stored.ID]
	if listed.isAnswer() {
		return
	}
	delete(r.others, stored.ID)
	at := queueRow{id: stored.ID, task: stored.Task, score: listed.score, said: listed.said, unfit: listed.unfit, updated: stored.UpdatedAt, seen: time.Now()}
	_, twice := r.rows[at.task]
	if twice || !(at.score > minScore) {
		r.duplicates = append(r.duplicates, at)
		return
	}
	r.rows[at.task] = at
}

// remove forgets a row that was deleted. A row of another version is not held.
func (r *remoteState) remove(task event.TaskID, id labelstudio.PredictionID) {
	if o, is := r.others[id]; is {
		delete(r.others, id)
		if o.version != r.version {
			return
		}
	} else if i := slices.IndexFunc(r.duplicates, func(d queueRow) bool { return d.id == id }); i >= 0 {
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
	maps.DeleteFunc(r.others, func(_ labelstudio.PredictionID, o otherRow) bool { _, is := r.deleted[o.task]; return is })
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
