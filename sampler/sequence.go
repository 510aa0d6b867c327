package sampler

import "slices"

// sequence orders the writes so that the queue becomes right from the front.
func (p *planner) sequence() (writes []write, ready int) {
	type hurdle struct {
		row
		at int // place in the queue, -1 for a stale row
	}
	var hurdles []hurdle // rows in the way, by score
	for _, r := range p.stale {
		hurdles = append(hurdles, hurdle{r, -1})
	}
	for i, t := range p.queue {
		if r, has := p.have[t]; has && !p.keep[i] {
			hurdles = append(hurdles, hurdle{r, i})
		}
	}
	slices.SortFunc(hurdles, func(a, b hurdle) int { return byPlace(a.row, b.row) })

	done := make([]bool, len(p.queue))
	put := func(i int) {
		if done[i] {
			return
		}
		done[i] = true
		w := write{op: create, task: p.queue[i], score: p.score[i], ready: ready}
		if r, has := p.have[w.task]; has {
			w.op, w.id = update, r.id
		}
		writes = append(writes, w)
	}
	for i := range p.queue {
		for len(hurdles) > 0 && hurdles[0].score <= p.score[i] {
			h := hurdles[0]
			hurdles = hurdles[1:]
			switch {
			case h.at < 0:
				writes = append(writes, write{op: remove, task: h.task, id: h.id, ready: ready})
			case h.at != i:
				put(h.at)
			}
		}
		if !p.keep[i] {
			put(i)
		}
		ready = i + 1
		if len(writes) > 0 {
			writes[len(writes)-1].ready = ready
		}
	}
	if len(writes) == 0 {
		return nil, ready
	}
	// Places in front of the first write are right already.
	first := 0
	for first < len(p.queue) && p.keep[first] && !p.blocked(first) {
		first++
	}
	return writes, first
}

// blocked reports whether a row that has to move lies in front of a kept place.
func (p *planner) blocked(i int) bool {
	if len(p.stale) > 0 && p.stale[0].score <= p.score[i] {
		return true
	}
	for j, t := range p.queue {
		if r, has := p.have[t]; has && !p.keep[j] && r.score <= p.score[i] {
			return true
		}
	}
	return false
}

// compact moves rows that have come close to 0 up again, last one first, so that
// their order never changes. It returns nothing when the front has room.
func compact(rows []row, below float64) []write {
	const lowest = base / 2
	rows = slices.Clone(rows)
	slices.SortFunc(rows, byPlace)
	if len(rows) == 0 || rows[0].score >= below {
		return nil
	}
	n := 0
	for n < len(rows) && rows[n].score < lowest {
		n++
	}
	hi := base + step*float64(n)
	if n < len(rows) {
		hi = min(hi, rows[n].score)
	}
	scores := make([]float64, n)
	if !fill(scores, lowest, hi, false, false) {
		return nil
	}
	var writes []write
	for i := n - 1; i >= 0; i-- {
		writes = append(writes, write{op: update, task: rows[i].task, id: rows[i].id, score: scores[i]})
	}
	return writes
}
