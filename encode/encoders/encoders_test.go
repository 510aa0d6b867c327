package encoders_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/minilm"
	"github.com/hone-ml/hone/vector"
)

func TestNamesOpen(t *testing.T) {
	names := map[string]bool{}
	for _, n := range encoders.Names() {
		e, err := encoders.Open(strings.NewReplacer("URL", "http://localhost:1", "model2vec:DIR", "model2vec:../text/model2vec/testdata/uncased", "bert:DIR", "bert:../text/bert/testdata/mean").Replace(n), encoders.Options{})
		if errors.Is(err, minilm.ErrNotBuiltIn) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		name := e.Fast.Name()
		if p := e.Blocking(); p != nil {
			name = p.Name()
		}
		if names[name] {
			t.Errorf("%q is named as another encoder is: %s", n, name)
		}
		names[name] = true
	}
	for name, want := range map[string]string{"word2vec": "static", "openai:localhost:8080": "whole", "model2vec:nowhere": "nowhere/config.json", "bert:": "bert:DIR", "bert:nowhere": "nowhere: it has no config.json", "openai:http://u:secret@h": "learner.openai_key"} {
		_, err := encoders.Open(name, encoders.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What is complete in the program is each name without an address, but for the transformer
// where the build left it out.
func TestBuiltIn(t *testing.T) {
	want := []string{encoders.MiniLM, encoders.Static, encoders.Hashed, encoders.Words}
	if _, err := encoders.Open(encoders.MiniLM, encoders.Options{}); errors.Is(err, minilm.ErrNotBuiltIn) {
		want = want[1:]
	}
	if got := encoders.BuiltIn(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A text of more pieces than the transformer takes at once is read to its end.
func TestTransformerReadsLongTexts(t *testing.T) {
	e, err := encoders.Open(encoders.MiniLM, encoders.Options{})
	if errors.Is(err, minilm.ErrNotBuiltIn) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("It rained all day and the hills were green. ", 30)
	xs, err := e.Slow[0].EncodeBatch(t.Context(), []string{long, long + "My credit card was stolen.", "short", "short"})
	if err != nil || reflect.DeepEqual(xs[0], xs[1]) || !reflect.DeepEqual(xs[2], xs[3]) {
		t.Errorf("the end of a long text is not read: %v", err)
	}
}

// A transformer of a folder gives the parts it says, and waits beside the fast ones.
func TestTransformerOfAFolder(t *testing.T) {
	e, err := encoders.Open(encoders.BERT+"../text/bert/testdata/cls", encoders.Options{})
	if err != nil {
		t.Fatal(err)
	}
	xs, err := e.Slow[0].EncodeBatch(t.Context(), []string{"my card", "the rate"})
	if err != nil {
		t.Fatal(err)
	}
	parts := encode.PartsOf(e.Slow[0])
	if !slices.Equal(parts, []encode.Part{encode.Middle, encode.Sentence}) || len(xs[0])%len(parts) != 0 || reflect.DeepEqual(xs[0], xs[1]) {
		t.Errorf("parts %v of %d numbers", parts, len(xs[0]))
	}
	packed, err := vector.PackParts(xs[0], len(parts))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := e.Slow[0].(encode.TokenEncoder); ok {
		t.Error("a cased tokenizer says where tokens stand")
	}
	uncased, err := encoders.Open(encoders.BERT+"../text/bert/testdata/mean", encoders.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := uncased.Slow[0].(encode.TokenEncoder).EncodeTokens(t.Context(), []string{"my card!", ""})
	if err != nil || len(tokens[0]) != 3 || len(tokens[0][1]) == 0 || len(tokens[1]) != 0 {
		t.Errorf("tokens %v, %v", tokens, err)
	}
	if dense, ok := encode.AppendParts(nil, e.Slow[0], packed); !ok || len(dense) != len(parts) {
		t.Errorf("%d parts come back: %t", len(dense), ok)
	}
}

func cosine(a, b vector.Vector) (sum float64) {
	for i, v := range a.Dense[0] {
		sum += float64(v) * float64(b.Dense[0][i])
	}
	return sum
}

func TestDefaultKnowsWhatWordsMean(t *testing.T) {
	e := encoders.Default()
	a, b, c := e.Encode("my card was stolen"), e.Encode("somebody took the wallet"), e.Encode("the weather in summer")
	if n := cosine(a, a); math.Abs(n-1) > 1e-5 || math.Abs(float64(a.Norm2)-1) > 1e-5 {
		t.Errorf("parts of squared lengths %g and %g", a.Norm2, n)
	}
	if cosine(a, b) <= cosine(a, c) {
		t.Errorf("a wallet is at %.3f of a card, the weather at %.3f", cosine(a, b), cosine(a, c))
	}
	if v := e.Encode(" "); !v.Empty() {
		t.Error("white space has features")
	}
}
