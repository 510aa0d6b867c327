package coverage

import (
	"container/heap"
	"context"
	"math"

	"github.com/hone-ml/hone/internal/parallel"
)

// weightSteps is what an uncertainty of 1 weighs.
const weightSteps = 1 << 12

// Greedy picks up to n points of the sample, one after the other, each the one that most raises
// the sum over the sample of uncertainty times cover, where cover is the kernel's value of the
// nearest point that is labelled or picked. Of near-duplicates one counts. picked are points of the
// sample that are taken as picked already. uncertainty is from 0 to 1; tie orders points that gain
// the same, lower first, and says which of near-duplicates counts.
// The error is the context's.
func (s *Space) Greedy(ctx context.Context, n int, picked []int64, uncertainty func(id int64) float64, tie func(id int64) uint64) ([]Pick, error) {
	g := s.newGreedy(picked, uncertainty, tie)
	gains, err := g.gains(ctx)
	if err != nil {
		return nil, err
	}
	for slot, id := range s.ids {
		if !g.taken[slot] {
			g.queue = append(g.queue, candidate{slot: slot, gain: gains[slot], tie: tie(id)})
		}
	}
	heap.Init(&g.queue)
	var out []Pick
	// A gain only falls as more is picked, so one that was computed before is an upper bound
	// (lazy evaluation; Minoux 1978).
	for len(out) < n && len(g.queue) > 0 {
		best := &g.queue[0]
		if best.round < len(out) {
			best.gain, best.round = g.gain(best.slot), len(out)
			heap.Fix(&g.queue, 0)
			continue
		}
		slot := best.slot
		heap.Pop(&g.queue)
		g.take(slot)
		pick := Pick{ID: s.ids[slot]}
		if len(s.labelled) > 0 {
			pick.Cover = float64(g.kernel[s.nearest[slot]]) / one
		}
		out = append(out, pick)
	}
	return out, nil
}

// weightOf rounds an uncertainty.
func weightOf(uncertainty float64) int64 {
	return int64(math.Round(weightSteps * max(0, min(1, uncertainty))))
}

// greedy is the state of one Greedy.
type greedy struct {
	s      *Space
	kernel *kernel
	cover  []int32 // by slot
	weight []int64 // by slot, 0 of what is a near-duplicate of another one
	taken  []bool  // by slot
	queue  candidates
}

// newGreedy has what is labelled and picked cover.
func (s *Space) newGreedy(picked []int64, uncertainty func(id int64) float64, tie func(id int64) uint64) *greedy {
	distinct := s.distinct(s.inOrder(s.ids, tie), nil)
	k := newKernel(s.width(distinct))
	g := &greedy{s: s, kernel: k, cover: make([]int32, len(s.ids)), weight: make([]int64, len(s.ids)), taken: make([]bool, len(s.ids))}
	for _, p := range distinct {
		g.weight[p.slot] = weightOf(uncertainty(p.id))
	}
	for slot := range s.ids {
		if len(s.labelled) > 0 {
			g.cover[slot] = int32(k[s.nearest[slot]])
		}
	}
	for _, id := range picked {
		if slot, ok := s.at[id]; ok {
			g.take(slot)
		}
	}
	return g
}

// gains returns the gain of each slot, 0 of one that is taken. The error is the context's.
func (g *greedy) gains(ctx context.Context) ([]int64, error) {
	out := make([]int64, len(g.taken))
	return out, parallel.ForEachChunk(ctx, len(out), func(_, from, to int) {
		for slot := from; slot < to; slot++ {
			if !g.taken[slot] {
				out[slot] = g.gain(slot)
			}
		}
	})
}

// gain returns by how much a slot would raise the coverage.
func (g *greedy) gain(slot int) (sum int64) {
	row := g.s.row(slot)[:len(g.cover)]
	weight := g.weight[:len(row)]
	cover := g.cover[:len(row)]
	for i, l := range row {
		if more := int32(g.kernel[l&(levels-1)]) - cover[i]; more > 0 {
			sum += int64(more) * weight[i]
		}
	}
	return sum
}

// take has a slot cover.
func (g *greedy) take(slot int) {
	g.taken[slot] = true
	for i, l := range g.s.row(slot)[:len(g.cover)] {
		g.cover[i] = max(g.cover[i], int32(g.kernel[l]))
	}
}

// candidate is a point that may be picked, with its gain when so many were picked.
type candidate struct {
	slot, round int
	gain        int64
	tie         uint64
}

// candidates is a heap, the largest gain first.
type candidates []candidate

func (c candidates) Len() int { return len(c) }
func (c candidates) Less(i, j int) bool {
	if c[i].gain != c[j].gain {
		return c[i].gain > c[j].gain
	}
	return c[i].tie < c[j].tie
}
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *candidates) Push(x any)   { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}
