package coverage

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A pool that is mostly one text, sent again and again with another number in it, is not a reason to ask
// for it before others.
func TestNearDuplicatesAreOnePoint(t *testing.T) {
	rng := source()
	for _, copies := range []int{60, 600} {
		again, others := blob(rng, 1, copies, 16, 0, .02), blob(rng, 1001, 20, 16, 1, .4)
		s := spaceOf(t, slices.Concat(again, others), nil)
		got := picks(t, s, 21, nil, none)
		if n := len(slices.DeleteFunc(slices.Clone(got), func(id int64) bool { return id > 1000 })); got[0] < 1000 || n > 1 {
			t.Errorf("%d copies: picks %v, want one of the others first and one copy at most", copies, got)
		}
		typical, err := s.Typical(t.Context(), 4, 30, nil, byID)
		asked := idsOf(typical)
		if err != nil || asked[0] < 1000 || len(asked) != 21 || slices.IndexFunc(asked, func(id int64) bool { return id < 1000 }) < 0 {
			t.Errorf("%d copies: typical are %v, %v: want 21, a copy not the first", copies, asked, err)
		}
		central, err := s.Central(t.Context(), s.ids, 8, none, byID)
		once := slices.DeleteFunc(slices.Clone(central), func(id int64) bool { return id > 1000 })
		if err != nil || len(once) > 1 {
			t.Errorf("%d copies: central are %v, %v: want one copy at most", copies, central, err)
		}
		// One of them is in the queue: no other one is typical.
		typical, err = s.Typical(t.Context(), 4, 30, []int64{30}, byID)
		if asked = idsOf(typical); err != nil || len(asked) != 20 || slices.IndexFunc(asked, func(id int64) bool { return id < 1000 }) >= 0 {
			t.Errorf("%d copies: beside a copy that is asked typical are %v, %v", copies, asked, err)
		}
	}
}

// Copies of points change no pick but which of the copies is picked.
func TestCopiesChangeNoPick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 25).Draw(t, "points")
		var once, all []Point
		unsure := map[int64]float64{}
		for i := range int64(n) {
			p := Point{i + 1, rapid.SliceOfN(rapid.Float32Range(-1, 1), 6, 6).Draw(t, "vector")}
			u := rapid.Float64Range(0, 1).Draw(t, "unsure")
			once = append(once, p)
			for c := range int64(rapid.IntRange(1, 6).Draw(t, "copies")) {
				id := c*1000 + p.ID
				all = append(all, Point{id, p.Vector})
				unsure[id] = u
			}
		}
		a, b := spaceOf(t, once, nil), spaceOf(t, all, nil)
		if len(a.distinct(a.inOrder(a.ids, byID), nil)) != n || len(b.distinct(b.inOrder(b.ids, byID), nil)) != n {
			t.Skip("two of the points are near-duplicates")
		}
		of := func(id int64) float64 { return unsure[id] }
		want, got := picks(t, a, n, nil, of), picks(t, b, n, nil, of)
		for i := range want {
			if got[i]%1000 != want[i] {
				if x, y := gainsOf(t, a, want[:i], of, want[i], got[i]%1000); x != y {
					t.Fatalf("pick %d of %v is another one than in %v", i, got, want)
				}
				return // both gain the same
			}
		}
	})
}

// gainsOf returns what two points gain after what is picked.
func gainsOf(t *rapid.T, s *Space, picked []int64, uncertainty func(int64) float64, one, other int64) (a, b float64) {
	g, err := s.Gains(picked, uncertainty, byID).Of(t.Context(), []int64{one, other})
	if err != nil {
		t.Fatal(err)
	}
	return g[0], g[1]
}

func BenchmarkDistinct(b *testing.B) {
	for _, copies := range []int{0, 1800} {
		b.Run(fmt.Sprintf("copies=%d", copies), func(b *testing.B) {
			rng := source()
			s := spaceOf(b, slices.Concat(blob(rng, 1, copies, 64, 1, .01), blob(rng, 5000, 2000-copies, 64, 0, 1)), nil)
			for b.Loop() {
				s.width(s.distinct(s.inOrder(s.ids, byID), nil))
			}
		})
	}
}
