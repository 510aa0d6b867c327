package push

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// world is what Label Studio holds; apply does what it would do with a write.
type world map[event.TaskID]queueRow

func (w world) apply(t interface{ Fatalf(string, ...any) }, x edit) {
	r, has := w[x.task]
	switch {
	case x.op == createRow && !has:
		w[x.task] = queueRow{id: labelstudio.PredictionID(1000 + len(w)), task: x.task, score: x.score}
	case x.op == updateRow && has && r.id == x.id:
		r.score = x.score
		w[x.task] = r
	case x.op == deleteRow && has && r.id == x.id:
		delete(w, x.task)
		return
	default:
		t.Fatalf("write %+v does not fit row %+v (there: %v)", x, r, has)
	}
	if !(x.score > 0 && x.score < maxQueueScore) {
		t.Fatalf("score %g of %+v is outside (0, %g)", x.score, x, maxQueueScore)
	}
}

func (w world) rows() []queueRow {
	var rows []queueRow
	for _, r := range w {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, compareRows)
	return rows
}

// served is the order in which Label Studio hands out tasks; it fails on a tie,
// which Label Studio would break as it likes.
func (w world) served(t interface{ Fatalf(string, ...any) }) []event.TaskID {
	var ids []event.TaskID
	rows := w.rows()
	for i, r := range rows {
		if i > 0 && rows[i-1].score == r.score {
			t.Fatalf("tasks %d and %d share the score %g", rows[i-1].task, r.task, r.score)
		}
		ids = append(ids, r.task)
	}
	return ids
}

func genWorld(t *rapid.T, tasks int) world {
	w := world{}
	for i, id := range rapid.Permutation(seq(tasks)).Draw(t, "rows")[:rapid.IntRange(0, tasks).Draw(t, "n")] {
		w[id] = queueRow{id: labelstudio.PredictionID(i + 1), task: id, score: firstScore + float64(i)*scoreStep*rapid.Float64Range(0.9, 1).Draw(t, "jitter")}
	}
	return w
}

func seq(n int) []event.TaskID {
	ids := make([]event.TaskID, n)
	for i := range ids {
		ids[i] = event.TaskID(i + 1)
	}
	return ids
}

// cheapest tries every set of rows to keep.
func cheapest(queue []event.TaskID, w world) (withHead, free int) {
	withHead, free = math.MaxInt, math.MaxInt
	for set := range 1 << len(queue) {
		last, cost, ok, head := 0.0, 0, true, true
		for i, id := range queue {
			if set>>i&1 == 0 {
				cost++
				continue
			}
			r, has := w[id]
			if !has || r.score <= last {
				ok = false
				break
			}
			last = r.score
			if i == 0 {
				below := 0
				for _, o := range w {
					if o.score < r.score {
						below++
					}
				}
				head = below <= 1
			}
		}
		if !ok {
			continue
		}
		for _, r := range w {
			if !slices.Contains(queue, r.task) && r.score < last {
				cost++
			}
		}
		free = min(free, cost)
		if head {
			withHead = min(withHead, cost)
		}
	}
	return withHead, free
}

// Task 5 is written while task 1 still has its old row: there was room for it exactly
// where that row was.
func TestNoTwoRowsShareAScoreOnTheWay(t *testing.T) {
	w := world{}
	for i, id := range []event.TaskID{5, 2, 3, 4, 1, 6} {
		w[id] = queueRow{id: labelstudio.PredictionID(i + 1), task: id, score: firstScore + float64(i)*scoreStep}
	}
	edits, _, ok := plan([]event.TaskID{2, 1, 3, 4, 5}, w.rows())
	if !ok || len(edits) == 0 {
		t.Fatalf("%d edits, %v", len(edits), ok)
	}
	for _, x := range edits {
		w.apply(t, x)
		w.served(t)
	}
}

func TestPlanIsMinimalAndRightFromTheFrontAfterEveryWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t, 10)
		queue := rapid.Permutation(seq(10)).Draw(t, "queue")[:rapid.IntRange(0, 8).Draw(t, "k")]
		writes, ready, ok := plan(queue, w.rows())
		if !ok {
			t.Fatalf("no room in a fresh layout")
		}
		want, free := cheapest(queue, w)
		if len(writes) != want || want > free+1 {
			t.Fatalf("%d writes, %d are enough (%d without care for the head): %+v", len(writes), want, free, writes)
		}
		front := func(n int, after any) {
			served := w.served(t)
			if len(served) < n || !slices.Equal(served[:n], queue[:n]) {
				t.Fatalf("after %+v the first %d should be %v, served %v", after, n, queue[:n], served)
			}
		}
		front(ready, "nothing")
		for i, x := range writes {
			if x.correctPrefix < ready || i == 0 && len(queue) > 0 && x.correctPrefix == 0 {
				t.Fatalf("write %d of %+v leaves the head wrong", i, writes)
			}
			ready = x.correctPrefix
			w.apply(t, x)
			front(ready, x)
		}
		front(len(queue), "all")
	})
}

// Without stale rows the count is the textbook one: K minus the longest rising
// subsequence, or one more where only that sets the head right at once.
func TestPlanCountsKMinusLIS(t *testing.T) {
	w := world{}
	for i, id := range []event.TaskID{1, 2, 3, 4, 5} {
		w[id] = queueRow{id: labelstudio.PredictionID(id), task: id, score: firstScore + float64(i)*scoreStep}
	}
	for _, c := range []struct {
		queue []event.TaskID
		want  int
	}{
		{[]event.TaskID{1, 2, 3, 4, 5}, 0},
		{[]event.TaskID{5, 1, 2, 3, 4}, 1},
		{[]event.TaskID{2, 3, 4, 5, 1}, 1},
		{[]event.TaskID{3, 4, 5, 1, 2}, 3}, // 1 and 2 lie in front: 3 moves first
		{[]event.TaskID{5, 4, 3, 2, 1}, 4},
		{[]event.TaskID{6, 1, 2, 3, 4, 5}, 1},
	} {
		if writes, _, _ := plan(c.queue, w.rows()); len(writes) != c.want {
			t.Errorf("%v: %d writes, want %d: %+v", c.queue, len(writes), c.want, writes)
		}
	}
}

// A long life: thousands of queues, each half written before the next one comes.
// The front never runs out of room, and every plan leaves the head right.
func TestPlanKeepsItsRoomOverALongLife(t *testing.T) {
	for _, compacts := range []bool{true, false} {
		w, front := world{}, 0
		for n := range 12000 {
			// The newest task comes first; the second stays locked for long.
			queue := []event.TaskID{event.TaskID(n + 10)}
			if compacts {
				queue = []event.TaskID{event.TaskID(n/500 + 1e6), event.TaskID(n + 10)}
			}
			for i := 1; i < 8 && n-i >= 0; i++ {
				queue = append(queue, event.TaskID(n+10-i))
			}
			writes, _, ok := plan(queue, w.rows())
			if !ok {
				for _, x := range rescale(w.rows(), math.Inf(1)) {
					before := w.served(t)
					w.apply(t, x)
					if !slices.Equal(before, w.served(t)) {
						t.Fatalf("compacting changed the order: %v, %v", before, w.served(t))
					}
				}
				front++
				if writes, _, ok = plan(queue, w.rows()); !ok {
					t.Fatalf("round %d: no room after compacting", n)
				}
			}
			for _, x := range writes[:(len(writes)+1)/2] {
				w.apply(t, x)
			}
			if got := w.served(t)[0]; got != queue[0] {
				t.Fatalf("round %d: %d comes first, want %d", n, got, queue[0])
			}
			for len(w) > 40 {
				served := w.served(t)
				delete(w, served[len(served)-1])
			}
			if compacts {
				for _, x := range rescale(w.rows(), rescaleBelow) {
					w.apply(t, x)
				}
			}
		}
		if compacts && front > 0 {
			t.Errorf("with compaction in time the front ran out of room %d times", front)
		}
		t.Logf("compaction in time: %v; out of room %d times", compacts, front)
	}
}

func TestCompactNeverChangesTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world{}
		for i, s := range rapid.SliceOfNDistinct(rapid.Float64Range(1e-190, 0.0099), 1, 40, rapid.ID).Draw(t, "scores") {
			w[event.TaskID(i+1)] = queueRow{id: labelstudio.PredictionID(i + 1), task: event.TaskID(i + 1), score: s}
		}
		before := w.served(t)
		for _, x := range rescale(w.rows(), rescaleBelow) {
			w.apply(t, x)
			if got := w.served(t); !slices.Equal(before, got) {
				t.Fatalf("%v became %v by %+v", before, got, x)
			}
		}
	})
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte{1, 2, 3}, []byte{3, 2, 1, 9})
	f.Fuzz(func(t *testing.T, have, want []byte) {
		w := world{}
		have = have[:min(len(have), 1000)]
		for i, b := range have {
			w[event.TaskID(b)] = queueRow{id: labelstudio.PredictionID(i + 1), task: event.TaskID(b), score: firstScore + float64(i)*scoreStep/2}
		}
		var queue []event.TaskID
		for _, b := range want {
			if !slices.Contains(queue, event.TaskID(b)) {
				queue = append(queue, event.TaskID(b))
			}
		}
		writes, _, ok := plan(queue, w.rows())
		if !ok {
			t.Fatalf("no room")
		}
		for _, x := range writes {
			w.apply(t, x)
		}
		if got := w.served(t); !slices.Equal(got[:len(queue)], queue) {
			t.Fatalf("served %v, want %v first", got, queue)
		}
	})
}

func BenchmarkPlan(b *testing.B) {
	w := world{}
	for i, id := range seq(30) {
		w[id] = queueRow{id: labelstudio.PredictionID(i + 1), task: id, score: firstScore + float64(i)*scoreStep}
	}
	queue, rows := seq(45)[15:], w.rows()
	for b.Loop() {
		plan(queue, rows)
	}
}
