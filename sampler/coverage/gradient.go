package coverage

import (
	"cmp"
	"context"
)

// GradientStep is what a Component of 1 is.
const GradientStep = 1 << 12

// Component is one class of the gradient of a model's loss by its scores.
type Component struct {
	Class uint64
	Value int32 // in steps of 1/GradientStep, from -1 to 1
}

// Gradients picks up to n points, far apart by their gradient embeddings (BADGE; Ash et al.
// 2020, "Deep batch active learning by diverse, uncertain gradient lower bounds", ICLR): what the
// last layer's weights would change by if the point had the label that the model predicts. An
// embedding is the product of the point's vector and of of(id), the gradient by the scores,
// whose components are sorted by class; it is not written down, as the inner product of two is
// that of the gradients times the cosine. The points are the centres that k-means++ draws
// (Arthur & Vassilvitskii 2007), the first the one with the longest embedding; picked are
// points that are centres already. Other than in the paper, 0 is a centre from the beginning:
// there are the points that are labelled, and those that would teach nothing. order is that of
// Typical. Sums are of integers. The error is the context's.
func (s *Space) Gradients(ctx context.Context, n int, picked []int64, of func(id int64) []Component, order func(id int64) uint64) ([]int64, error) {
	points := s.inOrder(s.ids, order)
	e := embeddings{s: s, points: points, gradient: make([][]Component, len(points)), square: make([]int64, len(points)), far: make([]int64, len(points))}
	taken := map[int64]bool{}
	for _, id := range picked {
		taken[id] = true
	}
	longest, begun := 0, len(taken) > 0
	for i, p := range points {
		e.gradient[i] = of(p.id)
		e.square[i] = product(e.gradient[i], e.gradient[i])
		e.far[i] = e.square[i] * (levels - 1)
		if e.square[i] > e.square[longest] {
			longest = i
		}
	}
	for i, p := range points {
		if taken[p.id] {
			e.take(i)
		}
	}
	var out []int64
	for len(out) < n && len(points) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next := longest
		if begun {
			next = draw(len(points), len(out), func(i int) (uint64, float64) { return points[i].order, float64(e.far[i]) })
		}
		if next < 0 || e.far[next] == 0 {
			break
		}
		begun = true
		e.take(next)
		out = append(out, points[next].id)
	}
	return out, nil
}

// embeddings are the gradient embeddings of points.
type embeddings struct {
	s        *Space
	points   []clustered
	gradient [][]Component
	square   []int64 // of the length, in GradientStep²
	far      []int64 // squared distance to the nearest centre
}

// take makes a point a centre.
func (e *embeddings) take(at int) {
	row := e.s.row(e.points[at].slot)
	for i, p := range e.points {
		d := (e.square[i] + e.square[at]) * (levels - 1)
		d -= 2 * product(e.gradient[i], e.gradient[at]) * (2*int64(row[p.slot]) - (levels - 1))
		e.far[i] = min(e.far[i], max(0, d))
	}
	e.far[at] = 0
}

// product returns the inner product of two gradients, in GradientStep².
func product(a, b []Component) (sum int64) {
	for len(a) > 0 && len(b) > 0 {
		switch cmp.Compare(a[0].Class, b[0].Class) {
		case -1:
			a = a[1:]
		case 1:
			b = b[1:]
		default:
			sum += int64(a[0].Value) * int64(b[0].Value)
			a, b = a[1:], b[1:]
		}
	}
	return sum
}
