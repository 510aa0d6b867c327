package sampler

import (
	"context"
	"fmt"
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
	old     []row          // rows of superseded versions, to delete one by one
	// refused are tasks that Label Studio takes no prediction for.
	refused  map[event.TaskID]struct{}
	imported bool // a bulk import was tried for this version
	head     uint64
	noted    string // why the project does not go by the version
}

// list asks Label Studio what it holds under the live version.
func (w *worker) list(ctx context.Context, ls LabelStudio) error {
	t := theirs{version: w.version, rows: map[event.TaskID]row{}, refused: w.theirs.refused, head: w.theirs.head}
	t.imported = w.theirs.imported && w.theirs.version == w.version
	var err error
	t.live, t.counts, err = ls.ModelVersion(ctx, w.id)
	if err != nil {
		return goneOr(err, "read the project's model versions")
	}
	if t.counts[w.version] > 0 {
		err := ls.Predictions(ctx, w.id, func(r Row) error {
			if r.ModelVersion == w.version {
				t.add(r)
				if now, old := t.rows[r.Task], w.theirs.rows[r.Task]; now.id == r.ID && old.id == r.ID {
					now.said = old.said
					t.rows[r.Task] = now
				}
			}
			return nil
		})
		if err != nil {
			return goneOr(err, "list predictions")
		}
	}
	t.known = true
	w.theirs = t
	w.checkAt = time.Now().Add(w.s.o.CheckEvery)
	return nil
}

// add sorts one row of the live version in. Doubles go: a task counts with its
// lowest score, whichever row has it. One without a score comes first, at least
// on SQLite.
func (t *theirs) add(r Row) {
	at := row{id: r.ID, task: r.Task}
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

// visible are the rows Label Studio may serve: it passes over labelled tasks.
func (w *worker) visible() []row {
	rows := make([]row, 0, len(w.theirs.rows))
	for _, r := range w.theirs.rows {
		if !w.pool.isLabelled(r.task) {
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
