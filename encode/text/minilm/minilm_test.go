package minilm

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"
)

type golden struct {
	Text   string `json:"text"`
	Pieces int    `json:"pieces"`
	Tokens bool   `json:"tokens"`
	// The reference's vectors, by float32 weights and by those of weights.bin, and that of the
	// middle layers by the latter.
	full, rounded, middle []float32
	tokens                []float32
}

// half gives a float16.
func half(b uint16) float32 {
	sign, exponent, fraction := float64(1), int(b>>10&31), float64(b&1023)
	if b>>15 == 1 {
		sign = -1
	}
	if exponent == 0 {
		return float32(sign * math.Ldexp(fraction, -24))
	}
	return float32(sign * math.Ldexp(1024+fraction, exponent-25))
}

func readHalves(t testing.TB, name string) []float32 {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]float32, len(data)/2)
	for i := range all {
		all[i] = half(binary.LittleEndian.Uint16(data[2*i:]))
	}
	return all
}

func readGolden(t testing.TB) []golden {
	t.Helper()
	f, err := os.Open("testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	vectors, middle, tokens := readHalves(t, "golden.f16"), readHalves(t, "middle.f16"), readHalves(t, "tokens.f16")
	var all []golden
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		g.full, g.rounded, vectors = vectors[:hiddenSize], vectors[hiddenSize:2*hiddenSize], vectors[2*hiddenSize:]
		g.middle, middle = middle[:hiddenSize], middle[hiddenSize:]
		if g.Tokens {
			n := (g.Pieces + specialPieces) * hiddenSize
			g.tokens, tokens = tokens[:n], tokens[n:]
		}
		all = append(all, g)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) != 300 || len(vectors) != 0 || len(middle) != 0 || len(tokens) != 0 {
		t.Fatalf("%d golden texts, %d numbers and %d of tokens left", len(all), len(vectors), len(tokens))
	}
	return all
}

// encoder is that of the program, and skips the test if there is none.
func encoder(t testing.TB) *Encoder {
	t.Helper()
	e, err := Load()
	if errors.Is(err, ErrNotBuiltIn) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// length2 is the squared length.
func length2(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return sum
}

// The reference's vectors: nearly by the weights that the file stands for, and
// near enough by the float32 weights that it was made from.
func TestSameAsReference(t *testing.T) {
	e := encoder(t)
	all := readGolden(t)
	texts := make([]string, len(all))
	for i, g := range all {
		texts[i] = g.Text
	}
	got, err := e.EncodeBatch(t.Context(), texts, 2)
	if err != nil {
		t.Fatal(err)
	}
	leastFull, leastRounded := 1.0, 1.0
	for i, g := range all {
		middle, last := got[i][:hiddenSize], got[i][hiddenSize:]
		full, rounded, inner := cosine(last, g.full), cosine(last, g.rounded), cosine(middle, g.middle)
		if full < 0.995 || rounded < 0.99999 || inner < 0.99999 {
			t.Errorf("%.60q: cosine %.6f with float32 weights, %.7f with int8, of the middle layers %.7f", g.Text, full, rounded, inner)
		}
		leastFull, leastRounded = min(leastFull, full), min(leastRounded, min(rounded, inner))
		for _, part := range [][]float32{middle, last} {
			if n := length2(part); math.Abs(n-1) > 1e-6 {
				t.Errorf("%.60q: length² %v", g.Text, n)
			}
		}
	}
	t.Logf("least cosine %.6f with float32 weights, %.7f with int8", leastFull, leastRounded)
}
