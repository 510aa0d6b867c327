package coverage

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// typicalNeighbours is how many of its nearest in a cluster make a point typical.
	typicalNeighbours = 20
	// clusterSteps bounds the steps of k-means.
	clusterSteps = 15
)

// Typical picks points for a model that knows nothing (TypiClust; Hacohen, Dekel & Weinshall,
// "Active Learning on a Budget", ICML 2022): the sample and the labelled points are clustered
// into n clusters, and of each cluster without a labelled or picked point, the largest first,
// the most typical point of the sample is picked: that with the highest mean cosine to its 20
// nearest in the cluster. It returns n less the labelled points, fewer where there are not so
// many clusters. order gives points a fixed order, in which k-means begins. The error is the
// context's.
func (s *Space) Typical(ctx context.Context, n int, picked []int64, order func(id int64) uint64) ([]int64, error) {
	n = min(n, len(s.ids)+len(s.labelled))
	if n <= len(s.labelled) || len(s.ids) == 0 {
		return nil, nil
	}
	var points []clustered
	for slot, id := range s.ids {
		points = append(points, clustered{id: id, slot: slot, order: order(id), vector: s.vectors[slot], taken: slices.Contains(picked, id)})
	}
	for id, v := range s.labelled {
		points = append(points, clustered{id: id, slot: -1, order: order(id), vector: v, taken: true})
	}
	slices.SortFunc(points, func(a, b clustered) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.id, b.id)) })
	if err := cluster(ctx, points, n); err != nil {
		return nil, err
	}
	members := make([][]clustered, n)
	for _, p := range points {
		members[p.cluster] = append(members[p.cluster], p)
	}
	slices.SortStableFunc(members, func(a, b []clustered) int { return cmp.Compare(len(b), len(a)) })
	var out []int64
	for _, m := range members {
		if len(out) == n-len(s.labelled) || len(m) == 0 || slices.ContainsFunc(m, func(p clustered) bool { return p.taken }) {
			continue
		}
		out = append(out, s.mostTypical(m))
	}
	return out, nil
}

// mostTypical returns the most typical of some points of the sample.
func (s *Space) mostTypical(of []clustered) int64 {
	best, bestSum := int64(0), -1
	levels := make([]uint16, len(of))
	for _, p := range of {
		row := s.row(p.slot)
		for i, q := range of {
			levels[i] = row[q.slot]
		}
		slices.Sort(levels)
		sum := 0
		for _, l := range levels[max(0, len(levels)-typicalNeighbours):] {
			sum += int(l)
		}
		if sum > bestSum {
			best, bestSum = p.id, sum
		}
	}
	return best
}

// clustered is a point while clusters are made.
type clustered struct {
	id      int64
	slot    int // -1 for a labelled one
	order   uint64
	vector  []float32
	taken   bool
	cluster int
}

// cluster gives each point one of n clusters by k-means, from k-means++ centres (Arthur &
// Vassilvitskii 2007) drawn by a fixed seed.
func cluster(ctx context.Context, points []clustered, n int) error {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not a secret
	centres := [][]float32{points[0].vector}
	far := make([]float64, len(points))
	for i := range far {
		far[i] = math.Inf(1)
	}
	for len(centres) < n {
		sum := 0.0
		for i, p := range points {
			// Points have length 1, and the centres are points.
			far[i] = min(far[i], max(0, 2-2*float64(dot(p.vector, centres[len(centres)-1]))))
			sum += far[i]
		}
		draw, at := rng.Float64()*sum, 0
		for ; at < len(points)-1 && draw >= far[at]; at++ {
			draw -= far[at]
		}
		centres = append(centres, points[at].vector)
	}
	for step := range clusterSteps {
		if err := ctx.Err(); err != nil {
			return err
		}
		moved := step == 0
		squares := make([]float32, n)
		for c, centre := range centres {
			squares[c] = dot(centre, centre)
		}
		for i := range points {
			best, near := 0, math.Inf(1)
			for c, centre := range centres {
				// The squared distance less the point's own square.
				if d := float64(squares[c] - 2*dot(points[i].vector, centre)); d < near {
					best, near = c, d
				}
			}
			moved = moved || best != points[i].cluster
			points[i].cluster = best
		}
		if !moved {
			return nil
		}
		centres = means(points, centres)
	}
	return nil
}

// means returns the centres of clusters; one without points stays.
func means(points []clustered, before [][]float32) [][]float32 {
	out := make([][]float32, len(before))
	sums := make([]float64, len(before[0]))
	for c := range before {
		clear(sums)
		count := 0
		for _, p := range points {
			if p.cluster == c {
				count++
				for j, x := range p.vector {
					sums[j] += float64(x)
				}
			}
		}
		if out[c] = before[c]; count > 0 {
			out[c] = make([]float32, len(sums))
			for j, sum := range sums {
				out[c][j] = float32(sum / float64(count))
			}
		}
	}
	return out
}
