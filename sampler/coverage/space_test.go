package coverage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// blob returns points around a direction.
func blob(rng *rand.Rand, first int64, n, dim, axis int, spread float64) []Point {
	out := make([]Point, n)
	for i := range out {
		v := make([]float32, dim)
		for j := range v {
			v[j] = float32(spread * rng.NormFloat64())
		}
		v[axis] += 3
		out[i] = Point{ID: first + int64(i), Vector: v}
	}
	return out
}

func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// spaceOf is a space made at once.
func spaceOf(t interface {
	Helper()
	Fatal(...any)
}, sample, labelled []Point,
) *Space {
	t.Helper()
	s := new(Space)
	if err := s.Update(context.Background(), nil, sample); err != nil {
		t.Fatal(err)
	}
	s.Label(labelled)
	return s
}

func none(int64) float64   { return 1 }
func byID(id int64) uint64 { return uint64(id) }

func picks(t interface {
	Helper()
	Fatal(...any)
}, s *Space, n int, picked []int64, uncertainty func(int64) float64,
) []int64 {
	t.Helper()
	out, err := s.Greedy(context.Background(), n, picked, uncertainty, byID)
	if err != nil {
		t.Fatal(err)
	}
	return idsOf(out)
}

func idsOf(picks []Pick) (ids []int64) {
	for _, p := range picks {
		ids = append(ids, p.ID)
	}
	return ids
}

// What a space says follows from what is in it, whatever was in it before.
func TestASpaceIsAFunctionOfItsPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := make([]Point, 30)
		for i := range all {
			all[i] = Point{int64(i + 1), rapid.SliceOfN(rapid.Float32Range(-1, 1), 6, 6).Draw(t, "vector")}
		}
		var s Space
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			of := func(name string) map[int64]bool {
				ids := rapid.SliceOfDistinct(rapid.Int64Range(1, 30), rapid.ID[int64]).Draw(t, name)
				out := map[int64]bool{}
				for _, id := range ids {
					out[id] = true
				}
				return out
			}
			sample, labelled := of("sample"), of("labelled")
			var added, labels, whole, wholeLabels []Point
			for _, p := range all {
				if sample[p.ID] {
					whole = append(whole, p)
					if !s.Has(p.ID) {
						added = append(added, p)
					}
				}
				if labelled[p.ID] {
					wholeLabels = append(wholeLabels, p)
					if !s.HasLabelled(p.ID) {
						labels = append(labels, p)
					}
				}
			}
			s.Unlabel(func(id int64) bool { return labelled[id] })
			if err := s.Update(context.Background(), func(id int64) bool { return sample[id] }, added); err != nil {
				t.Fatal(err)
			}
			s.Label(labels)
			fresh := spaceOf(t, whole, wholeLabels)
			if s.Len() != len(whole) || len(s.labelled) != len(wholeLabels) {
				t.Fatalf("%d points and %d labelled ones", s.Len(), len(s.labelled))
			}
			for id, slot := range s.at {
				other := fresh.at[id]
				for id, p := range s.labelled {
					if got, want := p.cosines[slot], fresh.labelled[id].cosines[other]; got != want {
						t.Fatalf("labelled %d: %d, want %d", id, got, want)
					}
				}
				if s.nearest[slot] != fresh.nearest[other] {
					t.Fatalf("the nearest of %d is %d, want %d", id, s.nearest[slot], fresh.nearest[other])
				}
				if s.closest[slot] != fresh.closest[other] || s.pairs != fresh.pairs {
					t.Fatalf("the closest of %d is %d, want %d", id, s.closest[slot], fresh.closest[other])
				}
				for id, slot2 := range s.at {
					if got, want := s.row(slot)[slot2], fresh.row(other)[fresh.at[id]]; got != want {
						t.Fatalf("%d, want %d", got, want)
					}
				}
			}
			unsure := func(id int64) float64 { return float64(id%7) / 7 }
			if a, b := picks(t, &s, 10, nil, unsure), picks(t, fresh, 10, nil, unsure); !slices.Equal(a, b) {
				t.Fatalf("picks %v, from nothing %v", a, b)
			}
			gradient := func(id int64) []Component {
				return []Component{{uint64(id % 3), int32(100 * (id%4 + 1))}, {5, int32(-30 * (id % 2))}}
			}
			g, err := s.Gradients(context.Background(), 8, []int64{3}, gradient, byID)
			g2, err2 := fresh.Gradients(context.Background(), 8, []int64{3}, gradient, byID)
			if err != nil || err2 != nil || !slices.Equal(g, g2) {
				t.Fatalf("by gradients %v, from nothing %v (%v, %v)", g, g2, err, err2)
			}
			ids := slices.Clone(s.ids)
			c, err := s.Central(context.Background(), ids, 4, unsure, byID)
			slices.Reverse(ids)
			c2, err2 := fresh.Central(context.Background(), ids, 4, unsure, byID)
			if err != nil || err2 != nil || !slices.Equal(c, c2) {
				t.Fatalf("central are %v, from nothing %v (%v, %v)", c, c2, err, err2)
			}
			a, err := s.Typical(context.Background(), 5, 12, nil, byID)
			b, err2 := fresh.Typical(context.Background(), 5, 12, nil, byID)
			if err != nil || err2 != nil || !slices.Equal(a, b) {
				t.Fatalf("typical are %v, from nothing %v (%v, %v)", a, b, err, err2)
			}
		}
	})
}

// Lazy picks are those of trying all points each time.
func TestGreedyPicksWhatRaisesTheCoverageMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "points")
		var sample, labelled []Point
		for i := range n {
			p := Point{int64(i + 1), rapid.SliceOfN(rapid.Float32Range(-1, 1), 4, 4).Draw(t, "vector")}
			if i%5 == 4 {
				labelled = append(labelled, p)
			} else {
				sample = append(sample, p)
			}
		}
		unsure := rapid.SliceOfN(rapid.Float64Range(0, 1), n+1, n+1).Draw(t, "unsure")
		s := spaceOf(t, sample, labelled)
		got := picks(t, s, 12, []int64{1}, func(id int64) float64 { return unsure[id] })
		if len(got) != min(12, len(sample)-1) {
			t.Fatalf("%d picks of %d points", len(got), len(sample))
		}
		covering := []int64{1}
		for _, id := range got {
			best := s.coverageBy(append(slices.Clone(covering), id), unsure)
			for _, p := range sample {
				if other := s.coverageBy(append(slices.Clone(covering), p.ID), unsure); other > best {
					t.Fatalf("%d is picked and raises the coverage to %d, %d would to %d", id, best, p.ID, other)
				}
			}
			covering = append(covering, id)
		}
	})
}

// coverageBy is what Greedy raises, computed from its definition.
func (s *Space) coverageBy(ids []int64, unsure []float64) (sum int64) {
	distinct := s.distinct(s.inOrder(s.ids, byID), nil)
	k := newKernel(s.width(distinct))
	for slot, id := range s.ids {
		cover := uint16(0)
		if len(s.labelled) > 0 {
			cover = k[s.nearest[slot]]
		}
		for _, other := range ids {
			cover = max(cover, k[s.row(slot)[s.at[other]]])
		}
		if slices.ContainsFunc(distinct, func(p clustered) bool { return p.id == id }) {
			sum += int64(cover) * weightOf(unsure[id])
		}
	}
	return sum
}

func TestGreedyLeavesWhatIsCoveredOrSure(t *testing.T) {
	rng := source()
	near, far, sure := blob(rng, 1, 50, 16, 0, .2), blob(rng, 101, 40, 16, 1, .2), blob(rng, 201, 60, 16, 2, .2)
	s := spaceOf(t, slices.Concat(near[1:], far, sure), near[:1])
	got := picks(t, s, 1, nil, func(id int64) float64 {
		if id > 200 {
			return .01
		}
		return .9
	})
	if got[0] < 101 || got[0] > 200 {
		t.Errorf("picks %v: it is covered, or the model is sure there", got)
	}
	if got := picks(t, s, 3, got, none); got[0] < 201 {
		t.Errorf("picks %v where the largest part is not covered", got)
	}
}

func TestTypicalPointsAreOfClustersWithoutLabels(t *testing.T) {
	rng := source()
	a, b, c := blob(rng, 1, 30, 16, 0, .4), blob(rng, 101, 50, 16, 1, .4), blob(rng, 201, 40, 16, 2, .4)
	s := spaceOf(t, slices.Concat(a, b, c), nil)
	typical := func(n int, picked []int64) (ids, labelled []int64) {
		t.Helper()
		got, err := s.Typical(t.Context(), 3, n, picked, byID)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got {
			labelled = append(labelled, int64(p.Labelled))
		}
		return idsOf(got), labelled
	}
	got, labels := typical(5, nil)
	if len(got) != 5 || got[0]/100 != 1 || got[1]/100 != 2 || got[2]/100 != 0 || got[3]/100 != 1 || !slices.Equal(labels, []int64{0, 0, 0, 1, 1}) {
		t.Fatalf("%v, %v: want one of each, the largest cluster first, and then so again", got, labels)
	}
	s = spaceOf(t, slices.Concat(a, b[1:], c), b[:1])
	if got, labels = typical(3, nil); got[0]/100 != 2 || got[1]/100 != 0 || got[2]/100 != 1 || labels[2] != 1 {
		t.Errorf("%v, %v: a cluster has a label", got, labels)
	}
	if got, labels = typical(2, []int64{201}); got[0]/100 != 0 || got[1]/100 != 1 || labels[1] != 1 {
		t.Errorf("%v, %v: of another one a task is asked already", got, labels)
	}
	// A few odd points come last, however many clusters are asked for.
	odd := blob(rng, 301, 2, 16, 3, .4)
	s = spaceOf(t, slices.Concat(a, b, odd), nil)
	got, _ = typical(82, nil)
	if len(got) != 82 || got[80] < 300 || got[81] < 300 {
		t.Errorf("%v: the odd ones are not last", got)
	}
	if got, err := new(Space).Typical(t.Context(), 3, 3, nil, byID); err != nil || got != nil {
		t.Errorf("of nothing %v, %v", got, err)
	}
}

func TestOddVectors(t *testing.T) {
	same := []Point{{1, []float32{0, 0}}, {2, []float32{1, 0}}, {3, []float32{1, 0}}, {4, []float32{2, 0}}}
	s := spaceOf(t, same, nil)
	if got := picks(t, s, 9, nil, none); len(got) != 4 {
		t.Errorf("%v of four points", got)
	}
	if got, err := s.Typical(t.Context(), 9, 9, nil, byID); err != nil || len(got) < 2 {
		t.Errorf("typical %v, %v", got, err)
	}
	if got := picks(t, new(Space), 3, nil, none); len(got) != 0 {
		t.Errorf("of nothing %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Greedy(ctx, 1, nil, none, byID); err == nil {
		t.Error("goes on after the end")
	}
	if err := s.Update(ctx, none2, []Point{{9, []float32{1, 1}}}); err == nil || s.Len() != 0 {
		t.Errorf("%v, %d points", err, s.Len())
	}
}

func none2(int64) bool { return true }

func BenchmarkGreedy(b *testing.B) {
	for _, n := range []int{1000, 2000, 4000} {
		b.Run(fmt.Sprintf("sample=%d", n), func(b *testing.B) {
			rng := source()
			all := blob(rng, 1, n+100, 384, 0, 1)
			s := spaceOf(b, all[100:], all[:100])
			b.ResetTimer()
			for b.Loop() {
				picks(b, s, 90, nil, func(id int64) float64 { return float64(id%100) / 100 })
			}
		})
	}
}

// BenchmarkUpdate replaces one point of a sample, as an annotation does.
func BenchmarkUpdate(b *testing.B) {
	rng := source()
	all := blob(rng, 1, 2100, 384, 0, 1)
	s := spaceOf(b, all[100:], all[:100])
	next := int64(10_000)
	out := all[100].ID
	for b.Loop() {
		next++
		if err := s.Update(context.Background(), func(id int64) bool { return id != out }, []Point{{next, all[0].Vector}}); err != nil {
			b.Fatal(err)
		}
		out = next
	}
}

func BenchmarkFirstUpdate(b *testing.B) {
	all := blob(source(), 1, 2000, 384, 0, 1)
	for b.Loop() {
		spaceOf(b, all, nil)
	}
}

func BenchmarkTypical(b *testing.B) {
	for _, k := range []int{10, 200} {
		b.Run(fmt.Sprintf("clusters=%d", k), func(b *testing.B) {
			s := spaceOf(b, blob(source(), 1, 2000, 384, 0, 1), blob(source(), 5001, k-10, 384, 0, 1))
			for b.Loop() {
				if _, err := s.Typical(context.Background(), k, 10, nil, byID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCentral(b *testing.B) {
	s := spaceOf(b, blob(source(), 1, 2000, 384, 0, 1), nil)
	for b.Loop() {
		if _, err := s.Central(context.Background(), s.ids[:300], 30, none, byID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGradients(b *testing.B) {
	s := spaceOf(b, blob(source(), 1, 2000, 384, 0, 1), nil)
	g := make([]Component, 16)
	for i := range g {
		g[i] = Component{Class: uint64(i), Value: int32(100 + i)}
	}
	for b.Loop() {
		if _, err := s.Gradients(context.Background(), 90, nil, func(int64) []Component { return g }, byID); err != nil {
			b.Fatal(err)
		}
	}
}
