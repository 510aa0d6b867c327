package push

import "slices"

// sequence orders the edits so that the queue becomes right from the front.
func (p *planner) sequence() (edits []edit, correctPrefix int) {
	type movingRow struct {
		queueRow
		at int // place in the queue, -1 for a stale row
	}
	var moving []movingRow // rows in the way, by score
	for _, r := range p.stale {
		moving = append(moving, movingRow{r, -1})
	}
	for i, t := range p.queue {
		if r, has := p.held[t]; has && !p.keep[i] {
			moving = append(moving, movingRow{r, i})
		}
	}
	slices.SortFunc(moving, func(a, b movingRow) int { return compareRows(a.queueRow, b.queueRow) })

	done := make([]bool, len(p.queue))
	put := func(i int) {
		if done[i] {
			return
		}
		done[i] = true
		e := edit{op: createRow, task: p.queue[i], score: p.score[i], correctPrefix: correctPrefix}
		if r, has := p.held[e.task]; has {
			e.op, e.id = updateRow, r.id
		}
		edits = append(edits, e)
	}
	for i := range p.queue {
		for len(moving) > 0 && moving[0].score <= p.score[i] {
			h := moving[0]
			moving = moving[1:]
			switch {
			case h.at < 0:
				edits = append(edits, edit{op: deleteRow, task: h.task, id: h.id, correctPrefix: correctPrefix})
			case h.at != i:
				put(h.at)
			}
		}
		if !p.keep[i] {
			put(i)
		}
		correctPrefix = i + 1
		if len(edits) > 0 {
			edits[len(edits)-1].correctPrefix = correctPrefix
		}
	}
	if len(edits) == 0 {
		return nil, correctPrefix
	}
	// Places in front of the first edit are right already.
	first := 0
	for first < len(p.queue) && p.keep[first] && !p.blocked(first) {
		first++
	}
	return edits, first
}

// blocked reports whether a row that has to move lies in front of a kept place.
func (p *planner) blocked(i int) bool {
	if len(p.stale) > 0 && p.stale[0].score <= p.score[i] {
		return true
	}
	for j, t := range p.queue {
		if r, has := p.held[t]; has && !p.keep[j] && r.score <= p.score[i] {
			return true
		}
	}
	return false
}

// rescale moves rows that have come close to 0 up again, the last one first, so that
// their order never changes. It returns nothing when the lowest score is at least
// below.
func rescale(rows []queueRow, below float64) []edit {
	const lowest = firstScore / 2
	rows = slices.Clone(rows)
	slices.SortFunc(rows, compareRows)
	if len(rows) == 0 || rows[0].score >= below {
		return nil
	}
	n := 0
	for n < len(rows) && rows[n].score < lowest {
		n++
	}
	hi := firstScore + scoreStep*float64(n)
	if n < len(rows) {
		hi = min(hi, rows[n].score)
	}
	scores := make([]float64, n)
	if !spreadScores(scores, lowest, hi, false, false) {
		return nil
	}
	var edits []edit
	for i := n - 1; i >= 0; i-- {
		edits = append(edits, edit{op: updateRow, task: rows[i].task, id: rows[i].id, score: scores[i]})
	}
	return edits
}
