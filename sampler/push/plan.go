package push

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// The scores of a queue. New rows go in front of old ones far more often than
// behind, so a fresh queue starts high and grows downwards by step.
const (
	maxQueueScore = 0.01  // above every score of the queue; /predict answers start here
	firstScore    = 0.008 // where a fresh queue starts
	scoreStep     = 1e-6
	// minGap is the least distance between neighbours. It is a thousand times
	// what a double resolves at this size.
	minGap = 1e-15
	// rescaleBelow asks for rescaling when there is time; floor is where the front
	// has no room at all. Between the two, each new front halves the lowest score.
	rescaleBelow = 1e-4
	minScore     = 1e-200
)

// queueRow is a prediction of the queue as Label Studio holds it.
type queueRow struct {
	id    labelstudio.PredictionID
	task  event.TaskID
	score float64
	// said is the hash of what the row suggests to annotators, as hashSuggestion gives it.
	// unfit is true when the label config no longer has that.
	said  uint64
	unfit bool
	// updated is Label Studio's time of the row's last write. written is the place of
	// that write among those of this Project, 0 when somebody else wrote the row.
	updated time.Time
	written uint64
	seen    time.Time // when Label Studio last said so
}

type editKind string

const (
	createRow editKind = "create"
	updateRow editKind = "update"
	deleteRow editKind = "delete"
	// removeRow deletes a row for what it says, whoever wants to keep it.
	removeRow editKind = "remove"
)

// edit is one write to Label Studio.
type edit struct {
	op    editKind
	task  event.TaskID
	id    labelstudio.PredictionID // of the row to update or delete
	score float64
	// correctPrefix is how many places of the queue, from the front, are right once
	// this edit and those before it are done.
	correctPrefix int
}

// plan finds the fewest edits after which the tasks of queue come first, in
// that order, among rows, and an order of those edits in which the queue
// becomes right from the front: after each edit Label Studio's first tasks are
// edit.correctPrefix tasks of the queue, and after the first edit at least one.
//
// rows are those Label Studio would serve: at most one a task, 0 < score <
// ceiling, no labelled tasks. correctPrefix is how many places are right already.
// ok is false when there is no room in front; then rescale comes first.
//
// Rows whose scores already rise along the queue stay (the longest such chain);
// the other queued tasks get scores between those. A row that is not queued is
// deleted when it lies before the end of the queue, and left alone behind it,
// where it is a fair next guess.
func plan(queue []event.TaskID, rows []queueRow) (edits []edit, correctPrefix int, ok bool) {
	p := planner{queue: queue, held: make(map[event.TaskID]queueRow, len(rows)), taken: make(map[float64]bool, len(rows))}
	for _, r := range rows {
		p.held[r.task] = r
		p.taken[r.score] = true
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
	slices.SortFunc(p.stale, compareRows)
	p.keptChain(rows)
	if !p.assignScores() {
		return nil, 0, false
	}
	edits, correctPrefix = p.sequence()
	return edits, correctPrefix, true
}

func compareRows(a, b queueRow) int {
	return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.task, b.task))
}

type planner struct {
	queue []event.TaskID
	held  map[event.TaskID]queueRow // the rows of queued and other tasks
	taken map[float64]bool          // the scores of those rows
	stale []queueRow                // rows outside the queue, by score
	keep  []bool
	score []float64 // the final score of each place
}

// keptChain marks the places whose rows stay. Of all rising chains it takes the one
// that costs least: a place left out is one edit, and so is every stale row
// below the chain's end.
func (p *planner) keptChain(rows []queueRow) {
	n := len(p.queue)
	p.keep = make([]bool, n)
	best, end := n, -1
	length, before := make([]int, n), make([]int, n)
	var tails []int // tails[l]: the place with the lowest score that ends a chain of l+1
	for i, t := range p.queue {
		r, has := p.held[t]
		if !has || i == 0 && p.crowdedFront(rows, r.score) {
			continue
		}
		l, _ := slices.BinarySearchFunc(tails, r.score, func(j int, s float64) int {
			return cmp.Compare(p.held[p.queue[j]].score, s)
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
		below, _ := slices.BinarySearchFunc(p.stale, r.score, func(s queueRow, x float64) int { return cmp.Compare(s.score, x) })
		if cost := n - length[i] + below; cost < best {
			best, end = cost, i
		}
	}
	for i := end; i >= 0; i = before[i] {
		p.keep[i] = true
	}
}

// crowdedFront reports whether more than one row lies in front of the first
// task's row. Then only moving that row sets the front right in one edit.
func (p *planner) crowdedFront(rows []queueRow, score float64) bool {
	n := 0
	for _, r := range rows {
		if r.score < score || r.score == score && r.task != p.queue[0] {
			n++
		}
	}
	return n > 1
}

// assignScores gives every place its score and reports whether there is room. Where a run of new scores does not fit
// behind a kept row, that row is moved too, down towards the front, where there
// is room.
func (p *planner) assignScores() bool {
	p.score = make([]float64, len(p.queue))
again:
	lo := 0.0
	for a := 0; a < len(p.queue); {
		if p.keep[a] {
			lo = p.held[p.queue[a]].score
			p.score[a] = lo
			a++
			continue
		}
		b := a
		for b < len(p.queue) && !p.keep[b] {
			b++
		}
		hi, open := maxQueueScore, true
		if b < len(p.queue) {
			hi, open = p.held[p.queue[b]].score, false
		}
		if o, found := p.nextFixedScore(lo, a); found && o < hi {
			hi, open = o, false
		}
		if !spreadScores(p.score[a:b], lo, hi, a == 0, open) {
			if a == 0 {
				return false
			}
			p.keep[a-1] = false
			goto again
		}
		p.avoidTies(p.score[a:b], lo)
		a = b
	}
	return true
}

// avoidTies lowers scores that rows have now, each towards the one before it: a row is
// written when another may still have its old score, and Label Studio orders rows of one
// score as it likes. lo is the score before the first.
func (p *planner) avoidTies(scores []float64, lo float64) {
	for j := range scores {
		for p.taken[scores[j]] {
			scores[j] = lo + (scores[j]-lo)/2
		}
		lo = scores[j]
	}
}

// nextFixedScore finds the lowest score above lo of a row that leaves its place
// only later: a stale row, or the row of a task that is queued at a or behind and
// moves. A new score below it is right at once, whatever has been written by then.
func (p *planner) nextFixedScore(lo float64, a int) (lowest float64, found bool) {
	lowest = math.Inf(1)
	i, _ := slices.BinarySearchFunc(p.stale, lo, func(s queueRow, x float64) int { return cmp.Compare(s.score, x) })
	for ; i < len(p.stale); i++ {
		if p.stale[i].score > lo {
			lowest = p.stale[i].score
			break
		}
	}
	for i := a; i < len(p.queue); i++ {
		if r, has := p.held[p.queue[i]]; has && !p.keep[i] && r.score > lo {
			lowest = min(lowest, r.score)
		}
	}
	return lowest, !math.IsInf(lowest, 1)
}

// spreadScores sets scores to rising numbers strictly between lo and hi. front means
// that nothing comes before them, open that nothing comes behind. It reports whether
// there is room.
func spreadScores(scores []float64, lo, hi float64, front, open bool) bool {
	m := float64(len(scores))
	switch {
	case front && open:
		d := min(scoreStep, (maxQueueScore-firstScore)/(m+1))
		for j := range scores {
			scores[j] = firstScore + d*float64(j)
		}
		return true
	case front && hi > 2*scoreStep*m:
		for j := range scores {
			scores[j] = hi - scoreStep*(m-float64(j))
		}
		return true
	case front:
		x := hi
		for j := len(scores) - 1; j >= 0; j-- {
			x /= 2
			scores[j] = x
		}
		return x > minScore
	}
	d := (hi - lo) / (m + 1)
	if d < minGap {
		return false
	}
	first := lo + d
	if d > scoreStep {
		// Room to spare: stay close to the side where less is going to come.
		first, d = hi-scoreStep*m, scoreStep
		if open {
			first = lo + scoreStep
		}
	}
	for j := range scores {
		scores[j] = first + d*float64(j)
	}
	return true
}
