package push

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hone-ml/hone/event"
)

// refreshSuggestions rewrites what the rows at the front of the queue suggest where
// the model has changed its mind. Label Studio shows an annotator the regions that
// were written with the row, and a row that keeps its place would show for ever what
// the model believed when it was written; nothing, where that was before the first
// label. What rows of an earlier run suggest is not known, so they are rewritten
// once. Only the front is worth it, as only the front is served before the next
// label; but when people have changed what is suggested, all rows are, since each is
// shown somewhere.
func (p *Project) refreshSuggestions(ctx context.Context, ls LabelStudio) error {
	if p.pusher.o.Predictor == nil {
		return nil
	}
	target := p.target()
	target = target[:min(p.pusher.o.Front, len(target))]
	if p.refreshed != p.queue.Suggestions {
		target = p.allRows()
	}
	var edits []edit
	for _, t := range target {
		r, has := p.remote.rows[t]
		if has && suggestionOf(p.regions(ctx, t)) != r.suggestion {
			edits = append(edits, edit{op: updateRow, task: t, id: r.id, score: r.score})
		}
	}
	if err := p.applyAll(ctx, ls, edits); err != nil {
		return err
	}
	p.refreshed = p.queue.Suggestions
	return nil
}

// allRows are the tasks of the rows that may be served, the queue's in its order first.
func (p *Project) allRows() []event.TaskID {
	out := p.target()
	queued := make(map[event.TaskID]bool, len(out))
	for _, t := range out {
		queued[t] = true
	}
	rows := p.servedRows()
	slices.SortFunc(rows, compareRows)
	for _, r := range rows {
		if !queued[r.task] {
			out = append(out, r.task)
		}
	}
	return out
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
