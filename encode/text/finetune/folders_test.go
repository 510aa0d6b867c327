package finetune

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode/text/bert"
	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// folders are the small models with random weights that package bert is tested with.
var folders = []string{"mean", "cls", "max"}

func folder(t testing.TB, name string) *bert.Encoder {
	t.Helper()
	e, err := bert.Open(filepath.Join("..", "bert", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// What is trained is what is encoded: with any adapter the network that is trained and the
// encoder make the same vectors.
func TestFolderEncodesWhatIsTrained(t *testing.T) {
	texts := []string{"", "my card", "dollars today", "where is it?"} // none of which takes two windows
	for _, name := range folders {
		e := folder(t, name)
		for _, rank := range []int{1, 8, lowrank.MaxRank} {
			n := newNetwork(shape{e.Network(), rank}, e.LastLayers())
			rng := rand.New(rand.NewPCG(7, uint64(rank)))
			for i := range n.parameters {
				n.parameters[i] = float32(rng.NormFloat64() * 0.1)
			}
			a, err := lowrank.NewAdapter(n.Base, rank, n.parameters)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n.parts { // as they are in float16
				n.parts[i].a, n.parts[i].b = a.Factors(i/lowrank.MatrixCount, i%lowrank.MatrixCount)
			}
			n.refresh()
			var states [][]float32
			var labelled []labelledText
			var all []int
			for i, text := range texts {
				states, labelled, all = append(states, e.FirstLayers(text, 64)), append(labelled, labelledText{i % 2, i}), append(all, i)
			}
			r := DefaultRecipe(1)
			tr := newTrainer(n, states, labelled, [][]int{all}, &r, &Options{Workers: 1})
			if _, err := tr.lossGradient(t.Context(), all); err != nil {
				t.Fatal(err)
			}
			tr.workers.close()
			got, err := e.WithAdapter(a).EncodeBatch(t.Context(), texts)
			if err != nil {
				t.Fatal(err)
			}
			size := n.vectorSize()
			for i, text := range texts {
				if c := cosine(got[i][:size], tr.batch.pooled.vectors[i*size:][:size]); !(c > 0.99999) {
					t.Errorf("%s, rank %d: %q: cosine %.7f", name, rank, text, c)
				}
			}
			plain, err := e.EncodeBatch(t.Context(), texts)
			if err != nil {
				t.Fatal(err)
			}
			if c := cosine(got[1], plain[1][e.Dim():]); c > 0.9999 {
				t.Errorf("%s: the adapter changes nothing: cosine %.7f", name, c)
			}
		}
	}
}

func cosine(a, b []float32) float64 {
	var dot float64
	for i, v := range a {
		dot += float64(v) * float64(b[i])
	}
	return dot / length(a) / length(b)
}

// moods are texts of two classes, of few tokens.
func moods() (out []Example) {
	for _, animal := range []string{"cat", "dog", "horse", "cow", "fox", "goat", "hen", "bee"} {
		out = append(out, Example{"happy " + animal, 0}, Example{"sad " + animal, 1})
	}
	return out
}

// Training draws the texts of a class together, whatever the shape.
func TestTrainFolders(t *testing.T) {
	for _, name := range folders {
		e := folder(t, name)
		r := DefaultRecipe(1)
		r.Batch, r.LearningRate = 16, 1e-2
		var losses []float64
		a, err := Train(t.Context(), e, moods(), r, Options{Workers: 2, Progress: func(_ int, loss float64) { losses = append(losses, loss) }})
		if err != nil {
			t.Fatal(err)
		}
		data, _ := a.MarshalBinary()
		if _, err := e.ParseAdapter(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		before, after := folderSeparation(t, e), folderSeparation(t, e.WithAdapter(a))
		t.Logf("%s: loss %.3f, then %.3f; separation %.3f, then %.3f", name, losses[0], losses[len(losses)-1], before, after)
		if !(after > before+0.1) {
			t.Errorf("%s: separation %.3f before, %.3f after", name, before, after)
		}
	}
}

// A prompt that leaves no room is told.
func TestTrainWithALongPrompt(t *testing.T) {
	r := DefaultRecipe(1)
	r.MaxTokens = 5
	if _, err := Train(t.Context(), folder(t, "cls"), moods(), r, Options{}); err == nil || !strings.Contains(err.Error(), "prompt") {
		t.Error(err)
	}
}

func folderSeparation(t *testing.T, e *bert.Encoder) float64 {
	t.Helper()
	return separation(t, func(text string) []float32 {
		v, err := e.EncodeBatch(t.Context(), []string{text})
		if err != nil {
			t.Fatal(err)
		}
		return v[0][len(v[0])-e.Dim():]
	}, moods())
}
