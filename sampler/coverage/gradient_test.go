package coverage

import (
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The distances are those of the embeddings written down.
func TestDistancesOfGradientEmbeddings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sample []Point
		gradients := map[int64][]Component{}
		for id := range int64(12) {
			sample = append(sample, Point{id, rapid.SliceOfN(rapid.Float32Range(-1, 1), 4, 4).Draw(t, "vector")})
			sample[id].Vector[0] += 1.5
			for class := range uint64(5) {
				if v := rapid.Int32Range(-GradientStep, GradientStep).Draw(t, "component"); v%3 != 0 {
					gradients[id] = append(gradients[id], Component{class, v})
				}
			}
		}
		s := spaceOf(t, sample, nil)
		embedding := func(slot int) []float64 {
			out := make([]float64, 5*4)
			for _, c := range gradients[s.ids[slot]] {
				for j, x := range s.vectors[slot] {
					out[int(c.Class)*4+j] = float64(c.Value) / GradientStep * float64(x)
				}
			}
			return out
		}
		points := s.inOrder(s.ids, byID)
		e := embeddings{s: s, points: points, gradient: make([][]Component, 12), square: make([]int64, 12), far: make([]int64, 12)}
		for i, p := range points {
			e.gradient[i], e.far[i] = gradients[p.id], math.MaxInt64
			e.square[i] = product(e.gradient[i], e.gradient[i])
		}
		e.take(3)
		centre := embedding(points[3].slot)
		for i, p := range points {
			want := 0.0
			for j, x := range embedding(p.slot) {
				want += (x - centre[j]) * (x - centre[j])
			}
			got := float64(e.far[i]) / GradientStep / GradientStep / (levels - 1)
			if i != 3 && math.Abs(got-want) > 10.0/levels {
				t.Fatalf("%d: %g, want %g", i, got, want)
			}
		}
	})
}

func TestGradientsAreLongAndFarApart(t *testing.T) {
	rng := source()
	a, b, sure := blob(rng, 1, 50, 16, 0, .1), blob(rng, 101, 50, 16, 1, .1), blob(rng, 201, 300, 16, 2, .1)
	s := spaceOf(t, slices.Concat(a, b, sure), nil)
	of := func(id int64) []Component {
		switch {
		case id == 7:
			return []Component{{1, -4000}, {2, 4000}}
		case id > 200:
			return nil
		case id%2 == 0:
			return []Component{{1, -2000}, {2, 2000}}
		}
		return []Component{{3, -2000}, {4, 2000}}
	}
	got, err := s.Gradients(t.Context(), 4, nil, of, byID)
	if err != nil || len(got) != 4 || got[0] != 7 {
		t.Fatalf("%v, %v: the longest is 7", got, err)
	}
	kinds := map[[2]int64]bool{}
	for _, id := range got {
		if id > 200 {
			t.Errorf("%v: the model is sure of %d", got, id)
		}
		kinds[[2]int64{id / 100, id % 2}] = true
	}
	if len(kinds) < 3 {
		t.Errorf("%v are of %d kinds of four", got, len(kinds))
	}
	if got, err = s.Gradients(t.Context(), 500, []int64{7}, of, byID); err != nil || slices.Contains(got, 7) || len(got) > 99 {
		t.Errorf("%d of 99, %v: 7 was picked, and of others the model is sure", len(got), err)
	}
	if got, err = new(Space).Gradients(t.Context(), 5, nil, of, byID); err != nil || len(got) != 0 {
		t.Errorf("of nothing %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Gradients(ctx, 5, nil, of, byID); err == nil {
		t.Error("goes on after the end")
	}
}
