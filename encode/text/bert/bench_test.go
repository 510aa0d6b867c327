package bert

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkEncodeBatch prints texts a second of the clock and of the processor's time, and
// milliseconds of the latter a text, of texts of common words, without an adapter and with one.
func BenchmarkEncodeBatch(b *testing.B) {
	e, err := Open(minilmFolder(b))
	if err != nil {
		b.Fatal(err)
	}
	adapted := e.WithAdapter(someAdapter(b, e, 8, 0.01))
	words := strings.Fields("the card has not come yet and what is it that we do when they say no to us about our old house in a town by some river")
	rng := rand.New(rand.NewPCG(1, 2))
	for _, pieces := range []int{22, 57, 254} {
		texts := make([]string, 64)
		for i := range texts {
			for range pieces {
				texts[i] += words[rng.IntN(len(words))] + " "
			}
		}
		for name, e := range map[string]*Encoder{"plain": e, "adapted": adapted} {
			b.Run(fmt.Sprintf("%s/%d_pieces", name, pieces), func(b *testing.B) {
				start := cpuSeconds()
				for b.Loop() {
					if _, err := e.EncodeBatch(b.Context(), texts); err != nil {
						b.Fatal(err)
					}
				}
				n, cpu := float64(b.N*len(texts)), cpuSeconds()-start
				b.ReportMetric(n/b.Elapsed().Seconds(), "texts/s")
				if cpu > 0 {
					b.ReportMetric(n/cpu, "texts/cpu-s")
					b.ReportMetric(cpu*1000/n, "cpu-ms/text")
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := minilmFolder(b)
	for b.Loop() {
		if _, err := Open(dir); err != nil {
			b.Fatal(err)
		}
	}
}
