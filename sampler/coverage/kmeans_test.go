package coverage

import (
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Clusters are those of k-means on the vectors: each point is in the cluster whose centre, the
// weighted mean of its points, is nearest, but for rounding.
func TestClustersAreThoseOfVectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(2, 60).Draw(t, "points"), rapid.IntRange(1, 8).Draw(t, "clusters")
		var sample []Point
		for i := range n {
			v := rapid.SliceOfN(rapid.Float32Range(-1, 1), 5, 5).Draw(t, "vector")
			v[0] += 2
			sample = append(sample, Point{int64(i + 1), v})
		}
		weights := rapid.SliceOfN(rapid.Int64Range(1, 4096), n+1, n+1).Draw(t, "weights")
		s := spaceOf(t, sample, nil)
		points := s.inOrder(s.ids, byID)
		for i := range points {
			points[i].weight = weights[points[i].id]
		}
		p, err := s.cluster(context.Background(), points, k)
		if err != nil {
			t.Fatal(err)
		}
		centres := make([][]float64, p.k)
		for c, m := range p.members() {
			centres[c] = make([]float64, 5)
			total := 0.0
			for _, i := range m {
				w := float64(p.points[i].weight)
				total += w
				for j, x := range s.vectors[p.points[i].slot] {
					centres[c][j] += w * float64(x)
				}
			}
			for j := range centres[c] {
				centres[c][j] /= max(total, 1e-9)
			}
		}
		distance := func(i, c int) (sum float64) {
			for j, x := range s.vectors[p.points[i].slot] {
				sum += (float64(x) - centres[c][j]) * (float64(x) - centres[c][j])
			}
			return sum
		}
		if p.assign() {
			return // k-means was ended by its number of steps
		}
		for i, q := range p.points {
			for c, m := range p.members() {
				if len(m) > 0 && distance(i, c) < distance(i, q.cluster)-4.0/levels {
					t.Fatalf("point %d is in cluster %d, %g from its centre, and %g from that of %d", i, q.cluster, distance(i, q.cluster), distance(i, c), c)
				}
			}
		}
	})
}

func TestCentralPointsStandForUnsureOnes(t *testing.T) {
	rng := source()
	a, b, c := blob(rng, 1, 30, 16, 0, .3), blob(rng, 101, 50, 16, 1, .3), blob(rng, 201, 40, 16, 2, .3)
	s := spaceOf(t, slices.Concat(a, b, c), nil)
	got, err := s.Central(t.Context(), s.ids, 3, none, byID)
	if err != nil || len(got) != 3 || got[0]/100 != 1 || got[1]/100 != 2 || got[2]/100 != 0 {
		t.Fatalf("%v, %v: want one of each, the heaviest cluster first", got, err)
	}
	// What weighs counts: of the second cluster nothing is unsure.
	got, err = s.Central(t.Context(), s.ids, 3, func(id int64) float64 {
		if id/100 == 1 {
			return .2
		}
		return 1
	}, byID)
	if err != nil || len(got) != 3 || got[2]/100 != 1 {
		t.Errorf("%v, %v: the second cluster weighs least", got, err)
	}
	if got, err = s.Central(t.Context(), nil, 3, none, byID); err != nil || len(got) != 0 {
		t.Errorf("of nothing %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Central(ctx, s.ids, 3, none, byID); err == nil {
		t.Error("goes on after the end")
	}
}

// Points that are all alike make one cluster, and one pick of it.
func TestEqualPointsAreOneCluster(t *testing.T) {
	var same []Point
	for id := range int64(20) {
		same = append(same, Point{id + 1, []float32{1, 2}})
	}
	s := spaceOf(t, same, nil)
	if got, err := s.Central(t.Context(), s.ids, 5, none, byID); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	got, err := s.Gradients(t.Context(), 5, nil, func(int64) []Component { return []Component{{1, 50}} }, byID)
	if err != nil || len(got) != 1 {
		t.Errorf("by gradients %v, %v", got, err)
	}
}

func TestDrawsAreProportional(t *testing.T) {
	mass := []float64{1, 0, 3, 6}
	counts := make([]float64, len(mass))
	const n = 20_000
	for round := range n {
		at := draw(len(mass), round, func(i int) (uint64, float64) { return uint64(i) * 77, mass[i] })
		counts[at]++
	}
	for i, m := range mass {
		if got := counts[i] / n; math.Abs(got-m/10) > .015 {
			t.Errorf("%d is drawn in %.3f of the cases, its mass is %g of 10", i, got, m)
		}
	}
	if at := draw(2, 0, func(int) (uint64, float64) { return 1, 0 }); at != -1 {
		t.Errorf("of no mass %d", at)
	}
}
