package encode_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/vector"
)

// Each of three slow encoders adds a part of its own, in their order, and one that fails
// leaves its own out. A token has one of each that makes such.
func TestBlockingOfThreeEncoders(t *testing.T) {
	a, b, c := &letters{counted: counted{lengths: "a/1"}}, &counted{lengths: "b/1"}, &letters{counted: counted{lengths: "c/1"}}
	p := encode.NewBlocking(ngram.New(), a, b, c)
	if want := ngram.New().Name() + "+a/1+b/1+c/1"; p.Name() != want {
		t.Errorf("it is named %s, want %s", p.Name(), want)
	}
	parts := func(x vector.Vector) (has []bool) {
		for _, d := range x.Dense {
			has = append(has, d != nil)
		}
		return has
	}
	b.fail = errors.New("down")
	if d := cmp.Diff([]bool{true, false, true}, parts(p.Encode("a cab"))); d != "" {
		t.Errorf("while one is down: %s", d)
	}
	b.fail = nil
	if d := cmp.Diff([]bool{true, true, true}, parts(p.Encode("a cab"))); d != "" {
		t.Error(d)
	}
	tokens := token.Segment(nil, "a cab")
	if d := cmp.Diff([]bool{false, false, false, true, true}, parts(encode.EncodeTokens(p, "a cab", tokens)[1])); d != "" {
		t.Errorf("of a token: %s", d)
	}
	requests := []encode.Request{{Text: "a cab"}, {Text: "bad", Tokens: true}}
	done := 0
	if err := p.Precompute(t.Context(), requests, func(n, all int) {
		if done = n; all != 2 { // the tokens of the second text, by two encoders
			t.Errorf("%d are to be made", all)
		}
	}); err != nil || done != 2 || p.Len() != 7 {
		t.Errorf("%d are made, there are %d, %v", done, p.Len(), err)
	}
}

func TestVectorsOfThreeEncodersAreFoundAgain(t *testing.T) {
	slow := []encode.BatchEncoder{&counted{lengths: "a/1"}, &counted{lengths: "b/1"}, &counted{lengths: "c/1"}}
	first := encode.NewBlocking(ngram.New(), slow...)
	if err := first.Precompute(t.Context(), needs("even", "odd"), nil); err != nil {
		t.Fatal(err)
	}
	var file, again bytes.Buffer
	if err := first.Save(&file); err != nil {
		t.Fatal(err)
	}
	whole := file.String()
	for _, s := range slow {
		s.(*counted).fail = errors.New("down")
	}
	second := first.WithEmptyCache()
	if err := second.Restore(strings.NewReader(whole)); err != nil || second.Len() != 6 {
		t.Fatalf("%d vectors, %v", second.Len(), err)
	}
	if d := cmp.Diff(first.Encode("odd"), second.Encode("odd")); d != "" {
		t.Error(d)
	}
	if err := second.Save(&again); err != nil || again.String() != whole {
		t.Errorf("saved again it is another file; %v", err)
	}
	for name, other := range map[string]*encode.Blocking{
		"in another order": encode.NewBlocking(ngram.New(), slow[1], slow[0], slow[2]),
		"one less":         encode.NewBlocking(ngram.New(), slow[:2]...),
		"one alone":        encode.NewBlocking(ngram.New(), slow[0]),
	} {
		if err := other.Restore(strings.NewReader(whole)); err == nil || other.Len() > 0 {
			t.Errorf("%s: %d vectors, %v", name, other.Len(), err)
		}
	}
	if err := second.WithEmptyCache().Restore(strings.NewReader(whole[:len(whole)-1])); err == nil {
		t.Error("a file that ends early is read")
	}
}
