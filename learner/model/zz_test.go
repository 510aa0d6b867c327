//go:build zz

package model_test

import (
	"syscall"
	"testing"

	"github.com/hone-ml/hone/internal/newslike"
	"github.com/hone-ml/hone/learner/feature"
	"github.com/hone-ml/hone/learner/feature/encoders"
	"github.com/hone-ml/hone/learner/model"
)

func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkZZ(b *testing.B) {
	encoder, err := encoders.Open("static", encoders.Options{})
	if err != nil {
		b.Fatal(err)
	}
	e := encoder.Fast
	all := newslike.Make(40000, 4, 1)
	m := model.New(4, model.Exclusive, model.Defaults())
	for i, t := range all[:7600] {
		if err := m.Put(model.Example{ID: int64(i + 1), X: e.Encode(t.Text), Target: []model.Share{{Class: int32(t.Label[6] - 'A'), P: 1}}, Weight: 1}); err != nil {
			b.Fatal(err)
		}
	}
	var pool []feature.Vector
	n := 0
	for _, t := range all[7600:] {
		pool = append(pool, e.Encode(t.Text))
		n += len(pool[len(pool)-1].Terms)
	}
	v := m.View()
	p := make([]float64, 4)
	var s model.Scratch
	b.Run("predict", func(b *testing.B) {
		i := 0
		began := cpu()
		for b.Loop() {
			v.Predict(pool[i%len(pool)], nil, p, &s)
			i++
		}
		b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
		b.ReportMetric(float64(n)/float64(len(pool)), "terms")
	})
	b.Run("encode", func(b *testing.B) {
		i := 0
		began := cpu()
		b.ReportAllocs()
		for b.Loop() {
			e.Encode(all[i%len(all)].Text)
			i++
		}
		b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
	})
	b.Run("both", func(b *testing.B) {
		i := 0
		began := cpu()
		for b.Loop() {
			v.Predict(e.Encode(all[i%len(all)].Text), nil, p, &s)
			i++
		}
		b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
	})
}
