package sampler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// theirs is what Label Studio holds of the queue's predictions, as far as known.
type theirs struct {
	known   bool
	version string // rows are of this version
	live    string // the project's model_version when last seen
	rows    map[event.TaskID]row
	counts  map[string]int // predictions by version
	extra   []row          // doubles and rows without a usable score
	// total is how many predictions of the version Label Studio should count, and
	// held how many of them a task has, answers of /predict among them.
	total int
	held  map[event.TaskID]int
	// highest is the highest id of a prediction seen. Label Studio gives no id twice
	// unless it was restored from a backup.
	highest PredictionID
	// departed are tasks that are said to be deleted. Their predictions went with
	// them, unless that was a lie; the next count tells.
	departed map[event.TaskID]struct{}
	surplus  surplus
	old      []row // rows of the superseded version oldOf, to delete one by one
	oldOf    string
	// refused are tasks that Label Studio takes no prediction for.
	refused  map[event.TaskID]struct{}
	imported bool // a bulk import was tried for this version
	head     uint64
	noted    string // why the project does not go by the version
}

// list asks Label Studio what it holds under the live version.
func (w *worker) list(ctx context.Context, ls LabelStudio) error {
	before := &w.theirs
	t := theirs{
		version: w.version, rows: map[event.TaskID]row{}, held: map[event.TaskID]int{},
		refused: before.refused, head: before.head, surplus: before.surplus,
	}
	t.imported = before.imported && before.version == w.version
	var err error
	t.live, t.counts, err = ls.ModelVersion(ctx, w.id)
	if err != nil {
		return goneOr(err, "read the project's model versions")
	}
	t.total = t.counts[w.version]
	if t.total > 0 {
		err := ls.Predictions(ctx, w.id, func(r Row) error {
			t.highest = max(t.highest, r.ID)
			if r.ModelVersion == w.version {
				t.held[r.Task]++
				t.add(r)
			}
			return nil
		})
		if err != nil {
			return goneOr(err, "list predictions")
		}
	}
	for task, now := range t.rows {
		if old, had := before.rows[task]; had && now.same(old) {
			now.said, now.written = old.said, old.written
			t.rows[task] = now
		}
	}
	t.known = true
	t.surplus.listed(len(t.extra) == 0 && maps.EqualFunc(t.rows, before.rows, row.same), w.s.o.CheckEvery)
	w.theirs, w.checked = t, w.writes
	w.checkAt = time.Now().Add(w.s.o.CheckEvery)
	return nil
}

// removed takes notice of a row that is gone; one of a superseded version is
// nothing to take notice of.
func (t *theirs) removed(task event.TaskID, id PredictionID) {
	if i := slices.IndexFunc(t.extra, func(r row) bool { return r.id == id }); i >= 0 {
		t.extra = slices.Delete(t.extra, i, i+1)
	} else if r, has := t.rows[task]; has && r.id == id {
		delete(t.rows, task)
	} else {
		return
	}
	t.total--
	if t.held[task]--; t.held[task] <= 0 {
		delete(t.held, task)
	}
}

// same reports whether nobody has written the row between two looks at it.
func (r row) same(as row) bool {
	return r.id == as.id && r.task == as.task && r.score == as.score && r.updated.Equal(as.updated)
}

// add sorts one row of the live version in. Doubles go: a task counts with its
// lowest score, whichever row has it. One without a score comes first, at least
// on SQLite.
func (t *theirs) add(r Row) {
	at := row{id: r.ID, task: r.Task, updated: r.UpdatedAt, seen: time.Now()}
	if r.Score != nil {
		at.score = *r.Score
	}
	if at.score >= ceiling {
		return // an answer of /predict
	}
	if !(at.score > floor) {
		t.extra = append(t.extra, at)
		return
	}
	if _, double := t.rows[at.task]; double {
		t.extra = append(t.extra, at)
		return
	}
	t.rows[at.task] = at
}

func goneOr(err error, doing string) error {
	if labelstudio.IsNotFound(err) {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isHidden reports whether Label Studio passes over a task's rows: because it is
// labelled, or because it is no more.
func (w *worker) isHidden(t event.TaskID) bool {
	_, departed := w.theirs.departed[t]
	return departed || w.pool.isLabelled(t)
}

// visible are the rows Label Studio may serve.
func (w *worker) visible() []row {
	rows := make([]row, 0, len(w.theirs.rows))
	for _, r := range w.theirs.rows {
		if !w.isHidden(r.task) {
			rows = append(rows, r)
		}
	}
	return rows
}

func (w *worker) target() []event.TaskID {
	ids := make([]event.TaskID, 0, len(w.queue))
	for _, i := range w.queue {
		if _, no := w.theirs.refused[i.Task]; !no {
			ids = append(ids, i.Task)
		}
	}
	return ids
}
