//go:build unix

package span

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/learner/head/span/spantest"
	"github.com/hone-ml/hone/learner/model"
)

// newsy are n texts of about 20 words with spans of six labels, from a vocabulary
// of some thousand words.
func newsy(b *testing.B, c *Scheme, e encode.Encoder, n int) ([]json.RawMessage, []model.Example) {
	b.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	syllables := strings.Fields("ka lo mi ter san no vel ri do pan is ur bel thi go")
	word := func() string {
		w := ""
		for range 1 + rng.IntN(3) {
			w += syllables[rng.IntN(len(syllables))]
		}
		return w
	}
	var texts []json.RawMessage
	var examples []model.Example
	for i := range n {
		var words []string
		for range 20 {
			w := word()
			if rng.IntN(20) == 0 {
				w = "[" + c.Labels[rng.IntN(len(c.Labels))] + " " + strings.ToUpper(w[:1]) + w[1:] + "]"
			}
			words = append(words, w)
		}
		x := example(b, c, int64(i+1), strings.Join(words, " "))
		data, _ := spantest.Mark(b, c.Control, c.Objects[0], strings.Join(words, " "))
		x.X = c.Document(data).Features(e)
		texts = append(texts, data)
		examples = append(examples, x)
	}
	return texts, examples
}

func sixLabels(b *testing.B) *Scheme {
	return schemeOf(b, `<View><Labels name="ner" toName="t"><Label value="A"/><Label value="B"/><Label value="C"/><Label value="D"/><Label value="E"/><Label value="F"/></Labels><Text name="t" value="$text"/></View>`)
}

// busy is the processor time this process has used.
func busy(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTag is a task's data in, regions out. tokens/s is by the clock,
// tokens/cpu-s by the processor time of all cores, which other programs on the
// machine do not change. With minilm the vectors in context are there already, packed.
func BenchmarkTag(b *testing.B) {
	b.Run("static", func(b *testing.B) { benchmarkTag(b, encoders.Default()) })
	b.Run("minilm", func(b *testing.B) {
		opened, err := encoders.Open(encoders.MiniLM, encoders.Options{})
		if err != nil {
			b.Skip(err)
		}
		benchmarkTag(b, opened.Blocking())
	})
}

func benchmarkTag(b *testing.B, e encode.Encoder) {
	c := sixLabels(b)
	texts, examples := newsy(b, c, e, 500)
	m := NewTagger(len(c.Labels), Defaults())
	for _, x := range examples {
		if err := m.Upsert(x); err != nil {
			b.Fatal(err)
		}
	}
	v := NewPredictor(c, m.View())
	var s Scratch
	tokens := 0
	b.ReportAllocs()
	b.ResetTimer()
	began := busy(b)
	for i := range b.N {
		data := texts[i%len(texts)]
		x := c.Document(data).Features(e).Tokens
		v.Predict("id", data, x, &s)
		tokens += len(x)
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(float64(tokens)/(busy(b)-began).Seconds(), "tokens/cpu-s")
}

// BenchmarkLearnOneOf3000 is one more annotated text where 3,000 are known, without
// the walk that is left for when it is idle, and forgetting it again.
func BenchmarkLearnOneOf3000(b *testing.B) {
	c := sixLabels(b)
	_, examples := newsy(b, c, encoders.Default(), 3000)
	m := NewTagger(len(c.Labels), Defaults())
	for _, x := range examples[1:] {
		if err := m.Upsert(x); err != nil {
			b.Fatal(err)
		}
	}
	m.Optimize(context.Background(), 0.5)
	b.ResetTimer()
	for range b.N {
		if err := m.Upsert(examples[0]); err != nil {
			b.Fatal(err)
		}
		m.Remove(examples[0].ID)
	}
}
