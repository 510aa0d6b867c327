package finetune

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// goldenRun is what an independent implementation made of small fine-tunings: tools/finetune.
type goldenRun struct {
	Rank, Steps  int
	LearningRate float64 `json:"learning_rate"`
	WeightDecay  float64 `json:"weight_decay"`
	Temperature  float64
	Texts        []string
	Classes      []int
	goldenLosses
	Folders map[string]goldenLosses // of package bert's testdata

	// numbers are those gradients, each by its largest, and the vectors after the steps.
	numbers []float32
}

type goldenLosses struct {
	Losses  []float64 // before each step
	Lengths []float64 // of the gradients, A and B of each matrix, at the first step
}

func readGolden(t *testing.T, name string) *goldenRun {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var g goldenRun
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	halves, err := os.ReadFile("testdata/" + name + ".f16")
	if err != nil {
		t.Fatal(err)
	}
	for ; len(halves) > 1; halves = halves[2:] {
		g.numbers = append(g.numbers, half(binary.LittleEndian.Uint16(halves)))
	}
	return &g
}

// half returns the number that a float16 holds.
func half(h uint16) float32 {
	fraction, exponent := float64(h&0x3ff), int(h>>10&0x1f)
	v := math.Ldexp(fraction, -24)
	if exponent > 0 {
		v = math.Ldexp(fraction+1024, exponent-25)
	}
	if h>>15 == 1 {
		v = -v
	}
	return float32(v)
}

// next takes the cosine of v with the next numbers of g.
func (g *goldenRun) next(v []float32) float64 {
	var dot, a, b float64
	for i, x := range v {
		y := float64(g.numbers[i])
		dot, a, b = dot+float64(x)*y, a+float64(x)*float64(x), b+y*y
	}
	g.numbers = g.numbers[len(v):]
	return dot / math.Sqrt(a*b)
}

func length(v []float32) float64 {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	return math.Sqrt(squares)
}

// Losses, the gradient of every matrix, and what five steps make of the texts' vectors are
// those of another implementation.
func TestSameAsAnotherImplementation(t *testing.T) {
	g := readGolden(t, "golden")
	g.compare(t, base(t), g.goldenLosses)
	if len(g.numbers) != 0 {
		t.Errorf("%d numbers left", len(g.numbers))
	}
}

// So are those of networks of other shapes, activations and poolings.
func TestFoldersSameAsAnotherImplementation(t *testing.T) {
	g := readGolden(t, "folders")
	for _, name := range folders {
		t.Run(name, func(t *testing.T) { g.compare(t, folder(t, name), g.Folders[name]) })
	}
	if len(g.numbers) != 0 {
		t.Errorf("%d numbers left", len(g.numbers))
	}
}

// compare trains from the same start as the other implementation and takes the next numbers.
func (g *goldenRun) compare(t *testing.T, e Base, want goldenLosses) {
	t.Helper()
	r := Recipe{Steps: g.Steps, Rank: g.Rank, MaxTokens: 64, LearningRate: g.LearningRate, WeightDecay: g.WeightDecay, Temperature: g.Temperature}
	var states [][]float32
	var all []int
	var examples []Example
	for i, text := range g.Texts {
		states = append(states, e.FirstLayers(text, r.MaxTokens))
		all, examples = append(all, i), append(examples, Example{text, g.Classes[i]})
	}
	plan := make([][]int, g.Steps)
	for i := range plan {
		plan[i] = all
	}
	n := newNetwork(shape{e.Network(), g.Rank}, e.LastLayers())
	at := 0.0
	for _, p := range n.parts {
		for i := range p.a {
			p.a[i] = float32(0.05 * math.Sin(1.7*at+1))
			at++
		}
		for i := range p.b {
			p.b[i] = float32(0.02 * math.Sin(0.9*at+1))
			at++
		}
	}
	n.refresh()
	tr := newTrainer(n, states, labelledTexts(examples), plan, &r, &Options{Workers: 2})
	defer tr.workers.close()
	for step, loss := range want.Losses {
		got, err := tr.step(t.Context(), step)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got-loss) > 1e-3*loss {
			t.Errorf("step %d: loss %.6f, want %.6f", step+1, got, loss)
		}
		if step > 0 {
			continue
		}
		for i, p := range splitParameters(&n.shape, tr.gradient) {
			for j, v := range [][]float32{p.a, p.b} {
				cosine, ratio := g.next(v), length(v)/want.Lengths[2*i+j]
				if cosine < 0.9999 || math.Abs(ratio-1) > 0.005 {
					t.Errorf("layer %d, matrix %d, %c: cosine of the gradients %.6f, ratio of their lengths %.5f",
						i/lowrank.MatrixCount, i%lowrank.MatrixCount, 'A'+j, cosine, ratio)
				}
			}
		}
	}
	if _, err := tr.lossGradient(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	size := n.vectorSize()
	for i, text := range g.Texts {
		if c := g.next(tr.batch.pooled.vectors[i*size:][:size]); c < 0.9999 {
			t.Errorf("%q: cosine of the vectors after training %.6f", text, c)
		}
	}
}
