package model_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hone-ml/hone/learner/model"
)

// filled is a settled model of n examples with texts of about 10 words from a
// vocabulary of a natural size.
func filled(b testing.TB, n, classes int) (*model.Model, func() model.Example) {
	rng := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(rng, 1.2, 4, 20000)
	id := int64(0)
	next := func() model.Example {
		class := rng.IntN(classes)
		s := fmt.Sprintf("k%d ", class)
		for range 9 {
			s += fmt.Sprintf("w%d ", zipf.Uint64())
		}
		id++
		return model.Example{ID: id, X: hashed.Encode(s), Weight: 1, Target: []model.Share{{Class: int32(class), P: 1}}}
	}
	m := model.New(classes, model.Exclusive, model.Defaults())
	for range n {
		if err := m.Upsert(next()); err != nil {
			b.Fatal(err)
		}
	}
	m.Optimize(context.Background(), 0.05)
	return m, next
}

func BenchmarkLearnOne(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		for _, classes := range []int{10, 77} {
			b.Run(fmt.Sprintf("%d_labels_%d_classes", n, classes), func(b *testing.B) {
				m, next := filled(b, n, classes)
				b.ReportAllocs()
				for b.Loop() {
					e := next()
					if err := m.Upsert(e); err != nil {
						b.Fatal(err)
					}
					m.View()
				}
			})
		}
	}
}

func BenchmarkSettleAfterOne(b *testing.B) {
	for _, classes := range []int{10, 77} {
		b.Run(fmt.Sprintf("1000_labels_%d_classes", classes), func(b *testing.B) {
			m, next := filled(b, 1000, classes)
			for b.Loop() {
				if err := m.Upsert(next()); err != nil {
					b.Fatal(err)
				}
				m.Optimize(b.Context(), 1e-3)
			}
		})
	}
}

func BenchmarkPredict10k(b *testing.B) {
	for _, classes := range []int{10, 77} {
		b.Run(fmt.Sprintf("%d_classes", classes), func(b *testing.B) {
			m, next := filled(b, 1000, classes)
			pool := make([]model.Example, 10000)
			for i := range pool {
				pool[i] = next()
			}
			v, p := m.View(), make([]float64, classes)
			var s model.Scratch
			b.ReportAllocs()
			for b.Loop() {
				for _, e := range pool {
					v.Predict(e.X, p, &s)
				}
			}
		})
	}
}
