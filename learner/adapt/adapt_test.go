package adapt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
)

// secretTrainer trains encoders whose vectors say what no other part knows: the class of a text. Without
// classes they are noise.
type secretTrainer struct {
	classes map[string]int32
	trained int
}

func (*secretTrainer) Name() string { return "secret" }

func (s *secretTrainer) Train(context.Context, []encode.LabelledText) ([]byte, error) {
	s.trained++
	return []byte("anything"), nil
}

func (s *secretTrainer) Adapted([]byte) (encode.BatchEncoder, error) {
	return secretEncoder(s.classes), nil
}

type secretEncoder map[string]int32

func (secretEncoder) Name() string { return "secret" }

func (e secretEncoder) EncodeBatch(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		h := fnv.New64a()
		_, _ = h.Write([]byte(text))
		rng := rand.New(rand.NewPCG(h.Sum64(), 1))
		out[i] = []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64()), float32(rng.NormFloat64())}
		if class, ok := e[text]; ok {
			out[i] = []float32{2*float32(class) - 1, 0.1, 0}
		}
	}
	return out, nil
}

// setUp returns a head of two classes, its base, labelled tasks, minority of them of the second class, and the
// class of each text, which nothing in the text says.
func setUp(t *testing.T, n, minority int) (*head.Spec, encode.Encoder, []adapt.Example, map[string]int32) {
	t.Helper()
	cfg, err := labelconfig.Parse(`<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="left"/><Choice value="right"/></Choices></View>`)
	if err != nil {
		t.Fatal(err)
	}
	base := encode.Union(ngram.New(), static.Default())
	q := head.NewSpec(head.Decide(cfg).Learned()[0]).WithEncoder(base)
	rng := rand.New(rand.NewPCG(1, 2))
	words := []string{"lake", "chair", "green", "walk", "quick", "paper", "window", "seven"}
	var out []adapt.Example
	classes := map[string]int32{}
	for i, place := range rng.Perm(n) {
		class := int32(0)
		if place < minority {
			class = 1
		}
		text := fmt.Sprintf("%s %s %s %s", words[rng.IntN(8)], words[rng.IntN(8)], words[i/8], words[i%8])
		classes[text] = class
		data, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, adapt.Example{Data: data, Example: model.Example{ID: int64(1 + (i*7)%n), Weight: 1, Target: []model.Share{{Class: class, P: 1}}}})
	}
	return q, base, out, classes
}

func cores() chan struct{} { return make(chan struct{}, 2) }

// An adapted part that knows more than the others counts much, and one that knows nothing hardly; the
// other settings are what they are without it. The order of the examples does not matter.
func TestAnAdaptedPartEarnsItsPlace(t *testing.T) {
	q, base, examples, classes := setUp(t, 40, 18)
	plain := make([]model.Example, len(examples))
	for i, x := range examples {
		plain[i] = x.Example
		plain[i].X = q.Kind.Features(q, x.Data, base).Compact()
	}
	want, err := tune.Search(t.Context(), q, plain, cores(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	for _, known := range []bool{true, false} {
		trainer := new(secretTrainer)
		if known {
			trainer.classes = classes
		}
		got, err := adapt.Adapt(t.Context(), q, base, examples, trainer, cores())
		if err != nil {
			t.Fatal(err)
		}
		weight := got.Settings.Parts[len(got.Settings.Parts)-1]
		if known && (weight < 0.2 || got.Accuracy < 0.9 || got.Without > 0.75) || !known && (weight > 0.5 || math.Abs(got.Accuracy-got.Without) > 0.15) {
			t.Errorf("know %v: weight %g, accuracy %g, without %g", known, weight, got.Accuracy, got.Without)
		}
		if rest := got.Settings.Parts[:len(got.Settings.Parts)-1]; !slices.Equal(rest, want.Parts) || got.Settings.Ridge != want.Ridge || got.Settings.Bias != want.Bias {
			t.Errorf("settings %+v, without the part %+v", got.Settings, want)
		}
		if len(got.HeldOut) != len(examples) || trainer.trained != 4 {
			t.Errorf("%d predictions, %d trainings", len(got.HeldOut), trainer.trained)
		}
		if !known {
			continue
		}
		shuffled := slices.Clone(examples)
		slices.Reverse(shuffled)
		again, err := adapt.Adapt(t.Context(), q, base, shuffled, trainer, cores())
		if err != nil || !tune.Equal(got.Settings, again.Settings) {
			t.Errorf("in another order %+v, %+v (%v)", again.Settings, got.Settings, err)
		}
	}
}

// Labels that nearly all say the same train nothing.
func TestTooFewLabelsOfOtherClasses(t *testing.T) {
	q, base, examples, classes := setUp(t, 40, 7)
	trainer := &secretTrainer{classes: classes}
	if _, err := adapt.Adapt(t.Context(), q, base, examples, trainer, cores()); !errors.Is(err, adapt.ErrTooFewLabels) || trainer.trained > 0 {
		t.Errorf("%v after %d trainings", err, trainer.trained)
	}
	q, base, examples, classes = setUp(t, 40, 8)
	if _, err := adapt.Adapt(t.Context(), q, base, examples, &secretTrainer{classes: classes}, cores()); err != nil {
		t.Error(err)
	}
}
