package push

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// Label Studio shows an annotator the regions that were written with a row, and a row that
// keeps its place would show for ever what the model believed when it was written. So
// rows are written again where the model says otherwise now: the front of the queue at once,
// the rest of it when nothing newer has come for a while, and what lies beside the queue
// within the budget. How sure the model is of the same answer is not worth a write.

// refreshQueue writes again what the queue suggests where the model has changed its mind,
// first places first.
func (p *Project) refreshQueue(ctx context.Context, ls LabelStudio) error {
	if p.pusher.o.Predictor == nil {
		return nil
	}
	target := p.target()
	stale := p.staleInQueue(ctx, target)
	front := min(p.pusher.o.Front, len(target))
	if err := p.rewriteQueue(ctx, ls, target[:front], stale); err != nil {
		return err
	}
	if len(stale) == 0 {
		return nil
	}
	if err := p.interrupt.WaitQuiet(ctx, 2*p.pusher.o.Settle); err != nil {
		return err
	}
	return p.rewriteQueue(ctx, ls, target[front:], stale)
}

// staleInQueue are the queued tasks whose rows do not suggest what the model says.
func (p *Project) staleInQueue(ctx context.Context, target []event.TaskID) map[event.TaskID]bool {
	stale, since := map[event.TaskID]bool{}, map[event.TaskID]time.Time{}
	for _, t := range target {
		if r, has := p.remote.rows[t]; has && hashSuggestion(p.regions(ctx, t)) != r.said {
			stale[t], since[t] = true, differing(p.staleSince[t], true)
		}
	}
	p.staleSince = since
	p.reportStale()
	return stale
}

func (p *Project) rewriteQueue(ctx context.Context, ls LabelStudio, tasks []event.TaskID, stale map[event.TaskID]bool) error {
	for _, t := range tasks {
		if !stale[t] {
			continue
		}
		if p.interrupt.Pending() {
			return ErrSuperseded
		}
		r := p.remote.rows[t]
		if err := p.apply(ctx, ls, edit{op: updateRow, task: t, id: r.id, score: r.score}); err != nil {
			return err
		}
		delete(stale, t)
		delete(p.staleSince, t)
		p.reportStale()
	}
	return nil
}

// removeUnfit deletes what the label config no longer has, at once; a queued row is
// written again instead, since it keeps its place.
func (p *Project) removeUnfit(ctx context.Context, ls LabelStudio) error {
	r := &p.remote
	var edits []edit
	target := p.target()
	queued := setOf(target)
	for _, t := range target {
		if row, has := r.rows[t]; has && row.unfit {
			edits = append(edits, edit{op: updateRow, task: t, id: row.id, score: row.score})
		}
	}
	for _, t := range slices.Sorted(maps.Keys(r.rows)) {
		if row := r.rows[t]; row.unfit && !queued[t] {
			edits = append(edits, edit{op: removeRow, task: t, id: row.id})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.others)) {
		if o := r.others[id]; o.unfit {
			edits = append(edits, edit{op: removeRow, task: o.task, id: id})
		}
	}
	return p.applyAll(ctx, ls, edits)
}

// refreshOthers has the rows beside the queue say what the model says now, those first
// that have not for the longest time.
func (p *Project) refreshOthers(ctx context.Context, ls LabelStudio) error {
	if p.pusher.o.Suggester == nil || p.swept == p.queue.Rank {
		return nil
	}
	if err := p.interrupt.WaitQuiet(ctx, 2*p.pusher.o.Settle); err != nil {
		return err
	}
	stale, err := p.sweep(ctx)
	if err != nil {
		return err
	}
	for _, id := range stale {
		if err := p.restForBudget(ctx, ls); err != nil {
			return err
		}
		if t, behind := p.behind[id]; behind {
			if err := p.refreshBehind(ctx, ls, t); err != nil {
				return err
			}
			continue
		}
		o, is := p.remote.others[id]
		if !is {
			continue
		}
		said, err := p.suggestions(ctx, []event.TaskID{o.task})
		if err != nil {
			return err
		}
		s, known := said[o.task]
		if !known {
			continue
		}
		if err := p.updateAnswer(ctx, ls, id, o, s); err != nil {
			return err
		}
		p.reportStale()
	}
	p.swept = p.queue.Rank
	return nil
}

// refreshBehind has a row behind the queue, which keeps its place, say what the model says.
func (p *Project) refreshBehind(ctx context.Context, ls LabelStudio, t event.TaskID) error {
	row, has := p.remote.rows[t]
	if !has {
		return nil
	}
	return p.apply(ctx, ls, edit{op: updateRow, task: t, id: row.id, score: row.score})
}

// sweep compares all rows beside the queue with the model and returns those that differ.
// Rows of the queue's tasks that are labelled now stay as people saw them.
func (p *Project) sweep(ctx context.Context) ([]labelstudio.PredictionID, error) {
	r := &p.remote
	tasks := map[labelstudio.PredictionID]event.TaskID{}
	for id, o := range r.others {
		if o.version == r.version {
			tasks[id] = o.task
		}
	}
	queued := setOf(p.target())
	behind := map[labelstudio.PredictionID]event.TaskID{}
	for t, row := range r.rows {
		if !queued[t] && !p.isHidden(t) {
			behind[row.id], tasks[row.id] = t, t
		}
	}
	p.behind = behind
	var stale []labelstudio.PredictionID
	for part := range slices.Chunk(slices.Sorted(maps.Keys(tasks)), suggestionChunk) {
		if p.interrupt.Pending() {
			return nil, ErrSuperseded
		}
		of := make([]event.TaskID, len(part))
		for i, id := range part {
			of[i] = tasks[id]
		}
		said, err := p.suggestions(ctx, of)
		if err != nil {
			return nil, err
		}
		for _, id := range part {
			s, known := said[tasks[id]]
			if p.compare(id, known, hashSuggestion(s.regions)) {
				stale = append(stale, id)
			}
		}
	}
	slices.SortStableFunc(stale, func(a, b labelstudio.PredictionID) int {
		return r.others[a].differs.Compare(r.others[b].differs) // those behind the queue come first
	})
	p.reportStale()
	return stale, nil
}

// compare notes whether a row beside the queue differs from what the model says of a known
// task, and reports it.
func (p *Project) compare(id labelstudio.PredictionID, known bool, says uint64) bool {
	r := &p.remote
	if t, is := p.behind[id]; is {
		return known && r.rows[t].said != says
	}
	o := r.others[id]
	o.differs = differing(o.differs, known && says != o.said)
	r.others[id] = o
	return !o.differs.IsZero()
}

// reportStale tells the listener how many rows differ from the model.
func (p *Project) reportStale() {
	p.report(func(s *Stored) {
		s.QueueDiffering, s.OthersDiffering, s.Others, s.OldestDiffering = len(p.staleSince), 0, len(p.remote.others), time.Time{}
		oldest := func(at time.Time) {
			if s.OldestDiffering.IsZero() || at.Before(s.OldestDiffering) {
				s.OldestDiffering = at
			}
		}
		for _, at := range p.staleSince {
			oldest(at)
		}
		for _, o := range p.remote.others {
			if !o.differs.IsZero() {
				s.OthersDiffering++
				oldest(o.differs)
			}
		}
	})
}

// hashSuggestion is a hash of what regions say, never 0.
func hashSuggestion(regions json.RawMessage) uint64 {
	return max(1, xxhash.Sum64String(suggestionOf(regions)))
}

// suggestionOf returns regions without their ids and scores, in a form that can be compared
// and is never "".
func suggestionOf(regions json.RawMessage) string {
	if len(regions) == 0 {
		return "[]"
	}
	var list []map[string]any
	if json.Unmarshal(regions, &list) != nil {
		return "unreadable"
	}
	for _, r := range list {
		delete(r, "id")
		delete(r, "score")
	}
	if list == nil {
		return "[]"
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "unreadable"
	}
	return string(b)
}
