package coverage

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/hone-ml/hone/internal/parallel"
)

// clusterSteps bounds the steps of k-means.
const clusterSteps = 15

// partition divides points of a sample into clusters by weighted k-means, from k-means++ centres
// (Arthur & Vassilvitskii 2007). Centres are never written down: how far a point is from the
// centre of others follows from the cosines of their pairs (Dhillon, Guan & Kulis 2004, "Kernel
// k-means: spectral clustering and normalized cuts"), so a step costs the square of the number
// of points, whatever the dimension. All sums are of integers.
type partition struct {
	s       *Space
	points  []clustered
	k       int     // clusters, some of which may be empty
	sums    []int64 // by point and cluster: the weighted levels to the points of the cluster
	weights []int64 // by cluster
	within  []int64 // by cluster: the weighted levels of all its pairs
	changed []bool  // by cluster: its points are others than when it was measured
}

// clustered is a point of the sample while it is looked at in a fixed order, as when clusters are made.
type clustered struct {
	id      int64
	slot    int
	order   uint64
	weight  int64 // at least 1
	cluster int
}

// inOrder returns those of some points that are in the sample in a fixed order, that of order and of ids,
// with a weight of 1.
func (s *Space) inOrder(ids []int64, order func(id int64) uint64) []clustered {
	points := make([]clustered, 0, len(ids))
	for _, id := range ids {
		if slot, ok := s.at[id]; ok {
			points = append(points, clustered{id: id, slot: slot, order: order(id), weight: 1})
		}
	}
	slices.SortFunc(points, func(a, b clustered) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.id, b.id)) })
	return points
}

// cluster divides points into up to k clusters, fewer where not so many are apart. The error is
// the context's.
func (s *Space) cluster(ctx context.Context, points []clustered, k int) (*partition, error) {
	p := &partition{s: s, points: points}
	p.seed(k)
	p.sums, p.weights, p.within = make([]int64, len(points)*p.k), make([]int64, p.k), make([]int64, p.k)
	p.changed = slices.Repeat([]bool{true}, p.k)
	if err := p.measure(ctx); err != nil {
		return nil, err
	}
	for range clusterSteps {
		if !p.assign() {
			break
		}
		if err := p.measure(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// seed draws centres among the points and gives each point the nearest.
func (p *partition) seed(k int) {
	far := make([]int64, len(p.points)) // from the nearest centre
	near := make([]uint16, len(p.points))
	for i := range far {
		far[i] = levels
	}
	for ; p.k < k; p.k++ {
		at := draw(len(p.points), p.k, func(i int) (order uint64, mass float64) {
			return p.points[i].order, float64(far[i] * p.points[i].weight)
		})
		if at < 0 {
			return
		}
		row := p.s.row(p.points[at].slot)
		for i := range p.points {
			if l := row[p.points[i].slot]; p.k == 0 || l > near[i] {
				near[i], p.points[i].cluster = l, p.k
				far[i] = levels - 1 - int64(l)
			}
		}
		far[at], near[at], p.points[at].cluster = 0, levels-1, p.k
	}
}

// measure computes the sums of the clusters as they are.
func (p *partition) measure(ctx context.Context) error {
	members := p.members()
	slots, weights := make([]int32, 0, len(p.points)), make([]int64, 0, len(p.points)) // by cluster
	for _, m := range members {
		for _, i := range m {
			slots, weights = append(slots, int32(p.points[i].slot)), append(weights, p.points[i].weight)
		}
	}
	err := parallel.ForEachChunk(ctx, len(p.points), func(_, from, to int) {
		for i := from; i < to; i++ {
			row, at := p.s.row(p.points[i].slot), 0
			for c, m := range members {
				if p.changed[c] {
					sum := int64(0)
					for j, slot := range slots[at : at+len(m)] {
						sum += weights[at+j] * int64(row[slot])
					}
					p.sums[i*p.k+c] = sum
				}
				at += len(m)
			}
		}
	})
	if err != nil {
		return err
	}
	clear(p.changed)
	clear(p.weights)
	clear(p.within)
	for i, x := range p.points {
		p.weights[x.cluster] += x.weight
		p.within[x.cluster] += x.weight * p.sums[i*p.k+x.cluster]
	}
	return nil
}

// assign gives each point the cluster whose centre is nearest, and reports whether one moved.
func (p *partition) assign() (moved bool) {
	for i := range p.points {
		before, c := p.points[i].cluster, p.nearest(p.sums[i*p.k:(i+1)*p.k])
		if c != before {
			moved, p.changed[before], p.changed[c] = true, true, true
			p.points[i].cluster = c
		}
	}
	return moved
}

// nearest returns the cluster whose centre is nearest to a point with these sums.
func (p *partition) nearest(sums []int64) int {
	best, least := 0, math.Inf(1)
	for c, sum := range sums {
		if p.weights[c] == 0 {
			continue
		}
		w := float64(p.weights[c])
		// The squared distance less what is the same for all centres, in levels. The
		// conversions forbid fused, so differently rounded, operations.
		d := float64(float64(p.within[c])/w/w) - float64(2*float64(sum)/w)
		if d < least {
			best, least = c, d
		}
	}
	return best
}

// ofLabelled returns the cluster nearest to a labelled point.
func (p *partition) ofLabelled(l labelledPoint) int {
	sums := make([]int64, p.k)
	for _, q := range p.points {
		sums[q.cluster] += q.weight * int64(l.cosines[q.slot])
	}
	return p.nearest(sums)
}

// members returns the points by cluster, each an index.
func (p *partition) members() [][]int {
	out := make([][]int, p.k)
	for i, q := range p.points {
		out[q.cluster] = append(out[q.cluster], i)
	}
	return out
}

// Central picks points that stand for many (Zhdanov 2019, "Diverse mini-batch active learning",
// arXiv 1901.05954): those given are clustered into k clusters by k-means in which each counts
// with its weight, 0 to 1, near-duplicates as one, and of each cluster the point nearest to its centre is picked, the
// cluster with most weight first. order is that of Typical. The error is the context's.
func (s *Space) Central(ctx context.Context, of []int64, k int, weight func(id int64) float64, order func(id int64) uint64) ([]int64, error) {
	points := s.distinct(s.inOrder(of, order), nil)
	for i := range points {
		points[i].weight = max(1, weightOf(weight(points[i].id)))
	}
	p, err := s.cluster(ctx, points, k)
	if err != nil {
		return nil, err
	}
	members := p.members()
	clusters := make([]int, 0, p.k)
	for c := range members {
		if len(members[c]) > 0 {
			clusters = append(clusters, c)
		}
	}
	slices.SortStableFunc(clusters, func(a, b int) int { return cmp.Compare(p.weights[b], p.weights[a]) })
	out := make([]int64, 0, len(clusters))
	for _, c := range clusters {
		best := members[c][0]
		for _, i := range members[c][1:] {
			if p.sums[i*p.k+c] > p.sums[best*p.k+c] {
				best = i
			}
		}
		out = append(out, points[best].id)
	}
	return out, nil
}

// draw draws one of n things with a chance that is proportional to its mass; -1 where no mass is
// above 0. Each has a clock of its own, by its order and the round, and the first to ring is
// drawn (exponential clocks; Efraimidis & Spirakis 2006): so a draw changes little when
// another thing is gone, and depends on nothing else.
func draw(n, round int, of func(i int) (order uint64, mass float64)) int {
	best, first := -1, math.Inf(1)
	for i := range n {
		order, mass := of(i)
		if !(mass > 0) {
			continue
		}
		if at := clock(order, round) / mass; at < first {
			best, first = i, at
		}
	}
	return best
}

// clock returns an exponentially distributed number, the same for one order and round.
func clock(order uint64, round int) float64 {
	x := order + uint64(round+1)*0x9e3779b97f4a7c15 // SplitMix64 (Steele, Lea & Flood 2014)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return -math.Log((float64(x>>11) + 1) / (1 << 53))
}
