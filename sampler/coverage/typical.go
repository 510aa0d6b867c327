package coverage

import (
	"cmp"
	"context"
	"slices"
)

const (
	// typicalNeighbours is how many of its nearest in a cluster make a point typical.
	typicalNeighbours = 20
	// smallCluster is below how many points a cluster is of odd ones.
	smallCluster = 5
)

// Pick is a point that was picked.
type Pick struct {
	ID int64
	// Labelled is, of Typical, how many points of its cluster were labelled or picked before.
	Labelled int
	// Cover is, of Greedy, how well the nearest labelled point covers it, from 0, also where
	// none is labelled, to 1.
	Cover float64
}

// Typical picks up to n points for a model that knows little (TypiClust; Hacohen, Dekel & Weinshall,
// "Active Learning on a Budget", ICML 2022): the sample is clustered, a labelled point is of the
// cluster whose centre is nearest, and one after the other of the cluster with the fewest
// labelled or picked points, of these the largest, the most typical point is picked: that with
// the highest mean cosine to its 20 nearest in the cluster. Clusters of fewer than five points
// come after all others. Near-duplicates are one point. picked are points that are taken as picked already. order gives points
// a fixed order, by which k-means begins. The error is the context's.
func (s *Space) Typical(ctx context.Context, clusters, n int, picked []int64, order func(id int64) uint64) ([]Pick, error) {
	if n <= 0 || len(s.ids) == 0 {
		return nil, ctx.Err()
	}
	points := s.distinct(s.inOrder(s.ids, order), picked)
	p, err := s.cluster(ctx, points, clusters)
	if err != nil {
		return nil, err
	}
	groups := make([]group, p.k)
	for c, m := range p.members() {
		groups[c].members, groups[c].size = m, len(m)
	}
	for _, l := range s.labelled {
		groups[p.ofLabelled(l)].labelled++
	}
	for c := range groups {
		groups[c].members = slices.DeleteFunc(groups[c].members, func(i int) bool {
			taken := slices.Contains(picked, points[i].id)
			if taken {
				groups[c].labelled++
			}
			return taken
		})
	}
	var out []Pick
	for len(out) < n {
		next := -1
		for c := range groups {
			if len(groups[c].members) > 0 && (next < 0 || groups[c].compare(groups[next]) < 0) {
				next = c
			}
		}
		if next < 0 {
			return out, nil
		}
		g := &groups[next]
		if !g.sorted {
			p.sortTypical(g.members)
			g.sorted = true
		}
		out = append(out, Pick{ID: points[g.members[0]].id, Labelled: g.labelled})
		g.members, g.labelled = g.members[1:], g.labelled+1
	}
	return out, nil
}

// group is a cluster while points are picked from it.
type group struct {
	members  []int // points left
	sorted   bool  // by how typical they are
	size     int   // points there were
	labelled int
}

// compare orders groups by which is picked from first.
func (g group) compare(other group) int {
	if odd := g.size < smallCluster; odd != (other.size < smallCluster) {
		if odd {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(g.labelled, other.labelled), cmp.Compare(other.size, g.size))
}

// sortTypical sorts points of a cluster, the most typical first.
func (p *partition) sortTypical(members []int) {
	sums := make(map[int]int, len(members))
	near := make([]uint16, len(members))
	for _, i := range members {
		row := p.s.row(p.points[i].slot)
		for j, other := range members {
			near[j] = row[p.points[other].slot]
		}
		slices.Sort(near)
		for _, l := range near[max(0, len(near)-typicalNeighbours):] {
			sums[i] += int(l)
		}
	}
	slices.SortStableFunc(members, func(a, b int) int { return cmp.Compare(sums[b], sums[a]) })
}
