package vector

import (
	"cmp"
	"math"
	"slices"
)

// Difference returns (a-b)/2, of length 1 at most in each part. Difference(b, a) is exactly its
// negative. It has the parts that both vectors have. The difference of equal vectors is empty.
func Difference(a, b Vector) Vector {
	if a.Empty() || b.Empty() {
		return Vector{}
	}
	v := differTerms(a, b)
	for part := range min(len(a.Dense), len(b.Dense)) {
		v.Dense = append(v.Dense, differDense(a.Dense[part], b.Dense[part]))
	}
	return v
}

func differTerms(a, b Vector) Vector {
	values := make(map[uint32]float32, len(a.Terms)+len(b.Terms))
	for _, t := range a.Terms {
		values[t.Bucket()] = a.Scale * t.Units() / 2
	}
	for _, t := range b.Terms {
		values[t.Bucket()] -= b.Scale * t.Units() / 2
	}
	type entry struct {
		bucket uint32
		value  float32
	}
	// In an order that does not depend on which text comes first.
	entries := make([]entry, 0, len(values))
	for bucket, value := range values {
		entries = append(entries, entry{bucket, value})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.bucket, b.bucket) })
	buckets, flat := make([]uint32, len(entries)), make([]float32, len(entries))
	var norm2 float64
	for i, e := range entries {
		buckets[i], flat[i] = e.bucket, e.value
		norm2 += float64(e.value) * float64(e.value)
	}
	v := quantize(buckets, flat)
	v.Scale *= float32(math.Sqrt(norm2))
	v.Norm2 *= float32(norm2)
	return v
}

func differDense(a, b []float32) []float32 {
	if len(a) == 0 || len(a) != len(b) {
		return nil
	}
	out := make([]float32, len(a))
	same := true
	for j := range out {
		out[j] = (a[j] - b[j]) / 2
		same = same && out[j] == 0
	}
	if same {
		return nil
	}
	return out
}
