package minilm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
	"github.com/hone-ml/hone/encode/text/wordpiece"
)

func name(pieces int) string { return fmt.Sprintf("%d_pieces", pieces) }

// textsOf gives texts of common words, each that many word pieces.
func textsOf(t testing.TB, e *Encoder, pieces, n int) []string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(pieces)))
	texts := make([]string, n)
	for i := range texts {
		words := make([]string, pieces)
		for j := range words {
			for words[j] == "" || strings.HasPrefix(words[j], "##") {
				words[j] = e.tokens.Piece(2000 + rng.Int32N(20000))
			}
		}
		texts[i] = strings.Join(words, " ")
		if got := len(e.tokens.Append(nil, texts[i], 2*pieces)); got < pieces {
			t.Fatalf("%q has %d pieces, want %d", texts[i], got, pieces)
		}
	}
	return texts
}

// rate reports texts a second, and texts a second of the processor's time, which
// on a machine with other work says what the first would be without.
func rate(b *testing.B, texts int, cpu float64) {
	b.ReportMetric(float64(texts)/b.Elapsed().Seconds(), "texts/s")
	if cpu > 0 {
		b.ReportMetric(float64(texts)/cpu, "texts/cpu-s")
	}
}

func BenchmarkEncode(b *testing.B) {
	e := encoder(b)
	for _, pieces := range []int{6, 22, 57, 254} {
		b.Run(name(pieces), func(b *testing.B) {
			texts := textsOf(b, e, pieces, 64)
			dst := make([]float32, 0, hiddenSize)
			b.ReportAllocs()
			i, start := 0, cpuSeconds()
			for b.Loop() {
				dst = e.Encode(dst, texts[i%len(texts)])
				i++
			}
			rate(b, b.N, cpuSeconds()-start)
		})
	}
}

func BenchmarkEncodeBatch(b *testing.B) {
	e := encoder(b)
	for _, pieces := range []int{22, 57} {
		b.Run(name(pieces), func(b *testing.B) {
			texts := textsOf(b, e, pieces, 64)
			start := cpuSeconds()
			for b.Loop() {
				if _, err := e.EncodeBatch(b.Context(), texts, 1); err != nil {
					b.Fatal(err)
				}
			}
			rate(b, b.N*len(texts), cpuSeconds()-start)
		})
	}
}

func BenchmarkEncodeInContext(b *testing.B) {
	e := encoder(b)
	for _, pieces := range []int{22, 57} {
		b.Run(name(pieces), func(b *testing.B) {
			texts := textsOf(b, e, pieces, 64)
			places := make([][]wordpiece.Span, len(texts))
			for i, t := range texts {
				places[i] = fields(t)
			}
			start := cpuSeconds()
			for b.Loop() {
				if _, err := e.EncodeInContext(b.Context(), texts, places); err != nil {
					b.Fatal(err)
				}
			}
			rate(b, b.N*len(texts), cpuSeconds()-start)
		})
	}
}

// A block of six rows by sixteen columns: 2*6*16*384 operations.
func BenchmarkProduct(b *testing.B) {
	a, tile := newQuantizedRows(6), make([]int16, tileSize)
	c := make([]float32, 6*hiddenSize)
	start := cpuSeconds()
	for b.Loop() {
		kernels.Product(6, hiddenSize, a.rows, hiddenSize, tile, a.units, c, hiddenSize, false)
	}
	b.ReportMetric(float64(b.N)*2*6*tileSize/(cpuSeconds()-start)/1e9, "gops")
}
