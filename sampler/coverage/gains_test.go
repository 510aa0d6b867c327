package coverage

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The gain of each point is the rise of the coverage, after whatever was picked; so Greedy picks the largest.
func TestGainsAreWhatGreedyGoesBy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 25).Draw(t, "points")
		var sample []Point
		for i := range n {
			v := rapid.SliceOfN(rapid.Float32Range(-1, 1), 4, 4).Draw(t, "vector")
			v[0] += 1.5
			sample = append(sample, Point{int64(i), v})
		}
		labelled := rapid.IntRange(0, 3).Draw(t, "labelled")
		s := spaceOf(t, sample[min(labelled, n-1):], sample[:min(labelled, n-1)])
		unsure := rapid.SliceOfN(rapid.Float64Range(0, 1), n, n).Draw(t, "uncertainty")
		uncertainty := func(id int64) float64 { return unsure[id] }
		picks, err := s.Greedy(t.Context(), s.Len(), nil, uncertainty, byID)
		if err != nil {
			t.Fatal(err)
		}
		ids := slices.Sorted(slices.Values(s.ids))
		g := s.Gains(nil, uncertainty, byID)
		for _, pick := range picks {
			gains, err := g.Of(t.Context(), append(ids, 999))
			if err != nil {
				t.Fatal(err)
			}
			at := slices.Index(ids, pick.ID)
			if gains[at] != slices.Max(gains) {
				t.Fatalf("%d is picked, which gains %g of %v", pick.ID, gains[at], gains)
			}
			if gains[len(ids)] != 0 {
				t.Fatal("a point that is not in the sample gains")
			}
			g.Pick(pick.ID)
			g.Pick(999)
			after, err := s.Gains(idsOf(picks[:slices.Index(picks, pick)+1]), uncertainty, byID).Of(t.Context(), ids)
			if err != nil {
				t.Fatal(err)
			}
			if now, _ := g.Of(t.Context(), ids); !slices.Equal(now, after) || now[at] != 0 {
				t.Fatalf("after %d the gains are %v, and from the beginning %v", pick.ID, now, after)
			}
		}
	})
}

// A gain is in tasks, and copies are one task.
func TestAGainIsInTasks(t *testing.T) {
	var same []Point
	for id := range int64(20) {
		same = append(same, Point{id, []float32{1, 2}})
	}
	gains, err := spaceOf(t, same, nil).Gains(nil, none, byID).Of(t.Context(), []int64{3})
	if err != nil || math.Abs(gains[0]-1) > 1e-9 {
		t.Errorf("%v, %v: want 1", gains, err)
	}
}
