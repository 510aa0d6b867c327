package sampler

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
)

// The scores of a queue. New rows go in front of old ones far more often than
// behind, so a fresh queue starts high and grows downwards by step.
const (
	ceiling = 0.01  // above every score of the queue; /predict answers start here
	base    = 0.008 // where a fresh queue starts
	step    = 1e-6
	// minGap is the least distance between neighbours. It is a thousand times
	// what a double resolves at this size.
	minGap = 1e-15
	// lowEnough asks for compaction when there is time; floor is where the front
	// has no room at all. Between the two, each new front halves the lowest score.
	lowEnough = 1e-4
	floor     = 1e-200
)

// PredictionID is Label Studio's id of a prediction.
type PredictionID int64

// row is a prediction of the queue as Label Studio holds it.
type row struct {
	id    PredictionID
	task  event.TaskID
	score float64
	// said is what the row suggests, as suggestion gives it; "" when not known.
	said string
	// updated is Label Studio's time of the row's last write, and written its place
	// among the writes of this worker, 0 when it was another's.
	updated time.Time
	written uint64
	seen    time.Time // when Label Studio last said so
}

type op string

const (
	create op = "create"
	update op = "update"
	remove op = "delete"
)

type write struct {
	op    op
	task  event.TaskID
	id    PredictionID // of the row to update or delete
	score float64
	// ready is how many places of the queue, from the front, are right once this
	// write and those before it are done.
	ready int
}

// plan finds the fewest writes after which the tasks of queue come first, in
// that order, among rows, and an order of those writes in which the queue
// becomes right from the front: after each write Label Studio's first tasks are
// write.ready tasks of the queue, and after the first write at least one.
//
// rows are those Label Studio would serve: at most one a task, 0 < score <
// ceiling, no labelled tasks. ready is how many places are right already. ok is
// false when there is no room in front; then compact comes first.
//
// Rows whose scores already rise along the queue stay (the longest such chain);
// the other queued tasks get scores between those. A row that is not queued is
// deleted when it lies before the end of the queue, and left alone behind it,
// where it is a fair next guess.
func plan(queue []event.TaskID, rows []row) (writes []write, ready int, ok bool) {
	p := planner{queue: queue, have: make(map[event.TaskID]row, len(rows))}
	for _, r := range rows {
		p.have[r.task] = r
	}
	place := make(map[event.TaskID]int, len(queue))
	for i, t := range queue {
		place[t] = i
	}
	for _, r := range rows {
		if _, queued := place[r.task]; !queued {
			p.stale = append(p.stale, r)
		}
	}
	slices.SortFunc(p.stale, byPlace)
	p.chain(rows)
	if !p.assign() {
		return nil, 0, false
	}
	writes, ready = p.sequence()
	return writes, ready, true
}

func byPlace(a, b row) int {
	return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.task, b.task))
}

type planner struct {
	queue []event.TaskID
	have  map[event.TaskID]row
	stale []row // rows outside the queue, by score
	keep  []bool
	score []float64 // the final score of each place
}

// chain marks the places whose rows stay. Of all rising chains it takes the one
// that costs least: a place left out is one write, and so is every stale row
// below the chain's end.
func (p *planner) chain(rows []row) {
	n := len(p.queue)
	p.keep = make([]bool, n)
	best, end := n, -1
	length, before := make([]int, n), make([]int, n)
	var tails []int // tails[l]: the place with the lowest score that ends a chain of l+1
	for i, t := range p.queue {
		r, has := p.have[t]
		if !has || i == 0 && p.crowdedFront(rows, r.score) {
			continue
		}
		l, _ := slices.BinarySearchFunc(tails, r.score, func(j int, s float64) int {
			return cmp.Compare(p.have[p.queue[j]].score, s)
		})
		length[i], before[i] = l+1, -1
		if l > 0 {
			before[i] = tails[l-1]
		}
		if l == len(tails) {
			tails = append(tails, i)
		} else {
			tails[l] = i
		}
		below, _ := slices.BinarySearchFunc(p.stale, r.score, func(s row, x float64) int { return cmp.Compare(s.score, x) })
		if cost := n - length[i] + below; cost < best {
			best, end = cost, i
		}
	}
	for i := end; i >= 0; i = before[i] {
		p.keep[i] = true
	}
}

// crowdedFront reports whether more than one row lies in front of the first
// task's: then moving that one task is what sets the front right in one write.
func (p *planner) crowdedFront(rows []row, score float64) bool {
	n := 0
	for _, r := range rows {
		if r.score < score || r.score == score && r.task != p.queue[0] {
			n++
		}
	}
	return n > 1
}

// assign gives every place its score. Where a run of new scores does not fit
// behind a kept row, that row is moved too, down towards the front, where there
// is room.
func (p *planner) assign() bool {
	p.score = make([]float64, len(p.queue))
again:
	lo := 0.0
	for a := 0; a < len(p.queue); {
		if p.keep[a] {
			lo = p.have[p.queue[a]].score
			p.score[a] = lo
			a++
			continue
		}
		b := a
		for b < len(p.queue) && !p.keep[b] {
			b++
		}
		hi, open := ceiling, true
		if b < len(p.queue) {
			hi, open = p.have[p.queue[b]].score, false
		}
		if o, found := p.obstacle(lo, a); found && o < hi {
			hi, open = o, false
		}
		if !fill(p.score[a:b], lo, hi, a == 0, open) {
			if a == 0 {
				return false
			}
			p.keep[a-1] = false
			goto again
		}
		a = b
	}
	return true
}

// obstacle is the lowest row above lo that will leave its place only later: a
// stale one, or one of a task that is queued at a or behind and moves. A score
// below it is right at once, whatever has been written by then.
func (p *planner) obstacle(lo float64, a int) (lowest float64, found bool) {
	lowest = math.Inf(1)
	i, _ := slices.BinarySearchFunc(p.stale, lo, func(s row, x float64) int { return cmp.Compare(s.score, x) })
	for ; i < len(p.stale); i++ {
		if p.stale[i].score > lo {
			lowest = p.stale[i].score
			break
		}
	}
	for i := a; i < len(p.queue); i++ {
		if r, has := p.have[p.queue[i]]; has && !p.keep[i] && r.score > lo {
			lowest = min(lowest, r.score)
		}
	}
	return lowest, !math.IsInf(lowest, 1)
}

// fill spreads scores, rising, strictly between lo and hi. front: nothing comes
// before them; open: nothing comes behind. It reports whether there is room.
func fill(scores []float64, lo, hi float64, front, open bool) bool {
	m := float64(len(scores))
	switch {
	case front && open:
		d := min(step, (ceiling-base)/(m+1))
		for j := range scores {
			scores[j] = base + d*float64(j)
		}
		return true
	case front && hi > 2*step*m:
		for j := range scores {
			scores[j] = hi - step*(m-float64(j))
		}
		return true
	case front:
		x := hi
		for j := len(scores) - 1; j >= 0; j-- {
			x /= 2
			scores[j] = x
		}
		return x > floor
	}
	d := (hi - lo) / (m + 1)
	if d < minGap {
		return false
	}
	first := lo + d
	if d > step {
		// Room to spare: stay close to the side where less is going to come.
		first, d = hi-step*m, step
		if open {
			first = lo + step
		}
	}
	for j := range scores {
		scores[j] = first + d*float64(j)
	}
	return true
}
