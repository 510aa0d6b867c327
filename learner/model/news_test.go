package model_test

import (
	"testing"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/internal/newslike"
	"github.com/hone-ml/hone/learner/model"
)

// BenchmarkLearnNews is one pass over texts of 40 words and four classes, encoding
// included; BenchmarkPredictNews the probabilities of as many, from the text.
func BenchmarkLearnNews(b *testing.B)   { benchmarkNews(b, true) }
func BenchmarkPredictNews(b *testing.B) { benchmarkNews(b, false) }

func benchmarkNews(b *testing.B, learn bool) {
	const classes, n = 4, 5000
	class := map[string]int32{"topic A": 0, "topic B": 1, "topic C": 2, "topic D": 3}
	texts := newslike.Make(n, classes, 1)
	h := ngram.New()
	m := model.New(classes, model.Exclusive, model.Defaults())
	put := func(i int) {
		at := i % n
		if at == 0 {
			m = model.New(classes, model.Exclusive, model.Defaults())
		}
		e := model.Example{ID: int64(at), X: h.Encode(texts[at].Text), Weight: 1, Target: []model.Share{{Class: class[texts[at].Label], P: 1}}}
		if err := m.Upsert(e); err != nil {
			b.Fatal(err)
		}
	}
	for i := range n {
		put(i)
	}
	v, p := m.View(), make([]float64, classes)
	var s model.Scratch
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if learn {
			put(i)
		} else {
			v.Predict(h.Encode(texts[i%n].Text), p, &s)
		}
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
}
