package bert

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
	"github.com/hone-ml/hone/encode/text/internal/kernels/kernelstest"
	"github.com/hone-ml/hone/encode/text/wordpiece"
)

var folders = []string{"mean", "cls", "max"}

func open(t testing.TB, name string) *Encoder {
	t.Helper()
	e, err := Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func encodeOne(t testing.TB, e *Encoder, text string) []float32 {
	t.Helper()
	v, err := e.EncodeBatch(context.Background(), []string{text})
	if err != nil {
		t.Fatal(err)
	}
	return v[0]
}

// goldenText is what numpy made of a text (tools/bert).
type goldenText struct {
	Text         string
	Pieces       []int32
	Middle, Last []float32
	Tokens       [][]float32
}

func goldenTexts(t *testing.T) map[string][]goldenText {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][]goldenText
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestGolden compares with an implementation that shares nothing with this one: the same tokens,
// and vectors in the same direction, of every kind of weights, pooling and tokenizer.
func TestGolden(t *testing.T) {
	golden := goldenTexts(t)
	for _, name := range folders {
		t.Run(name, func(t *testing.T) {
			e := open(t, name)
			if len(golden[name]) < 15 {
				t.Fatalf("%d golden texts", len(golden[name]))
			}
			texts := make([]string, len(golden[name]))
			for i, g := range golden[name] {
				texts[i] = g.Text
				if got := e.tokens.Append(nil, e.prepare(g.Text), 24); !slices.Equal(got, g.Pieces) {
					t.Errorf("%.40q: tokens %v, want %v", g.Text, got, g.Pieces)
				}
			}
			vectors, err := e.EncodeBatch(t.Context(), texts)
			if err != nil {
				t.Fatal(err)
			}
			least := 1.0
			for i, g := range golden[name] {
				middle, last := vectors[i][:e.Dim()], vectors[i][e.Dim():]
				for _, c := range []float64{cosine(middle[:len(g.Middle)], g.Middle), cosine(last[:len(g.Last)], g.Last)} {
					least = min(least, c)
					if !(c > 0.999999) {
						t.Errorf("%.40q: cosine %.8f", g.Text, c)
					}
				}
				for _, rest := range [][]float32{middle[len(g.Middle):], last[len(g.Last):]} {
					for _, v := range rest {
						if v != 0 {
							t.Errorf("%.40q: %v behind the end of a part", g.Text, v)
						}
					}
				}
			}
			t.Logf("least cosine %.9f", least)
		})
	}
}

// Tokens in their context, of a text at once and in windows.
func TestGoldenTokens(t *testing.T) {
	e := open(t, "mean")
	compared := 0
	for _, g := range goldenTexts(t)["mean"] {
		_, places := e.tokens.AppendSpans(nil, nil, g.Text, 100)
		got, err := e.EncodeInContext(t.Context(), []string{g.Text, "beside"}, [][]wordpiece.Span{places, nil})
		if err != nil {
			t.Fatal(err)
		}
		if len(got[0]) != len(places) || len(got[1]) != 0 {
			t.Fatalf("%.40q: %d vectors for %d places", g.Text, len(got[0]), len(places))
		}
		for i, want := range g.Tokens {
			compared++
			if c := cosine(got[0][i], want); !(c > 0.999999) {
				t.Errorf("%.40q: token %d: cosine %v", g.Text, i, c)
			}
		}
	}
	if compared < 20 {
		t.Errorf("%d tokens compared", compared)
	}
}

// A text has the same bits alone, in a batch, on several cores and without the assembly; and so
// has one of several windows.
func TestSameBits(t *testing.T) {
	for _, name := range folders {
		e := open(t, name)
		var texts []string
		for _, g := range goldenTexts(t)[name] {
			texts = append(texts, g.Text)
		}
		want, err := e.EncodeBatch(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for i, text := range texts {
					if !slices.Equal(encodeOne(t, e, text), want[i]) {
						t.Errorf("%s: %.40q has another vector alone", name, text)
					}
				}
			})
		}
		wg.Wait()
		kernelstest.WithoutAssembly(func() {
			if got := encodeOne(t, e, texts[3]); !slices.Equal(got, want[3]) {
				t.Errorf("%s: another vector without assembly", name)
			}
		})
	}
}

func TestNameIsOfTheContent(t *testing.T) {
	names := map[string]bool{}
	for _, f := range folders {
		if e := open(t, f); e.Name() == open(t, f).Name() {
			names[e.Name()] = true
		}
	}
	for name, want := range map[string]string{"config.json": `"layer_norm_eps": 1e-12`, "sentence_bert_config.json": "40", "tokenizer.json": "[PAD]", "1_Pooling/config.json": "32"} {
		files := folderFiles(t, "mean")
		edit(t, files, name, want, map[string]string{"config.json": `"layer_norm_eps": 1e-6`, "sentence_bert_config.json": "30", "tokenizer.json": "[Pad]", "1_Pooling/config.json": " 32"}[name])
		e, err := openFolder(files)
		if err != nil {
			t.Fatal(name, err)
		}
		names[e.Name()] = true
	}
	files := folderFiles(t, "mean")
	weights := files[weightsFile].Data
	weights[len(weights)-1] ^= 1
	e, err := openFolder(files)
	if err != nil {
		t.Fatal(err)
	}
	names[e.Name()] = true
	if len(names) != len(folders)+5 {
		t.Errorf("%d names: %v", len(names), slices.Sorted(maps.Keys(names)))
	}
}

// A matrix of more inputs than a block has, and of a number that is no multiple of one.
func TestProductOfSeveralBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const in, out, rows = 2*blockDepth + 48, 48, 7
	m := newMatrix(in, out)
	weights := make([]float32, in*out)
	for i := range weights {
		weights[i] = rng.Float32() - 0.5
	}
	m.fill(0, weights[:16*in])
	m.fill(16, weights[16*in:])
	s := &scratch{ids: make([]int32, rows)}
	a, c := make([]float32, (rows+kernels.SpareRows)*in), make([]float32, (rows+kernels.SpareRows)*out)
	for i := range a {
		a[i] = rng.Float32() - 0.5
	}
	s.multiplyAll(c, a, &m)
	for r := range rows {
		for o := range out {
			want := 0.0
			for i := range in {
				want += float64(a[r*in+i]) * float64(weights[o*in+i])
			}
			if math.Abs(want-float64(c[r*out+o])) > 1e-4 {
				t.Fatalf("row %d, output %d is %v, want %v", r, o, c[r*out+o], want)
			}
		}
	}
}

func TestMiddleLayers(t *testing.T) {
	for layers, want := range map[int][2]int{1: {0, 1}, 2: {0, 1}, 3: {1, 2}, 4: {1, 3}, 6: {2, 5}, 12: {4, 10}, 24: {8, 20}} {
		if from, to := middleLayers(layers); from != want[0] || to != want[1] {
			t.Errorf("%d layers: %d to %d, want %v", layers, from, to, want)
		}
	}
}

// A text for which the network makes no finite numbers has no vector.
func TestNumbersThatOverflow(t *testing.T) {
	files := folderFiles(t, "mean")
	for i := range 32 { // of unit variance, some are larger than 1
		setNumber(t, files, "encoder.layer.2.output.LayerNorm.weight", i, math.MaxFloat32)
	}
	e, err := openFolder(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "my card"} {
		if v := encodeOne(t, e, text); v != nil {
			t.Errorf("%q has the vector %v", text, v)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, "mean").EncodeBatch(ctx, []string{"card"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
