package sampler

import (
	"context"
	"encoding/json"
)

// freshen rewrites what the rows at the head of the queue suggest where the model
// has changed its mind: Label Studio shows an annotator the regions that were
// written with the row, and a row that keeps its place would show for ever what
// the model believed when it took it; nothing, where that was before the first
// label. What rows of an earlier run suggest is not known, so they are rewritten
// once. Only the head is worth it, as only the head is served before the next
// label.
func (w *worker) freshen(ctx context.Context, ls LabelStudio) error {
	if w.s.o.Predictor == nil {
		return nil
	}
	target := w.target()
	var writes []write
	for _, t := range target[:min(w.s.o.Head, len(target))] {
		r, has := w.theirs.rows[t]
		if !has {
			continue
		}
		if x := (write{op: update, task: t, id: r.id, score: r.score}); suggestion(w.prediction(ctx, x).Result) != r.said {
			writes = append(writes, x)
		}
	}
	return w.each(ctx, ls, writes)
}

// suggestion is what regions say without how sure they are of it, in a form that
// can be compared and is never "".
func suggestion(regions json.RawMessage) string {
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
