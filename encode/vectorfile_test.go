package encode_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
)

func TestPatientFindsItsVectorsAgain(t *testing.T) {
	slow := &counted{lengths: "c/1"}
	first := encode.NewBlocking(ngram.New(), slow)
	texts := []string{"even", "odd", "a third one"}
	if err := first.Precompute(t.Context(), needs(texts...), nil); err != nil {
		t.Fatal(err)
	}
	var file, again bytes.Buffer
	if err := first.Save(&file); err != nil {
		t.Fatal(err)
	}
	whole := file.String()
	second := encode.NewBlocking(ngram.New(), slow)
	if err := second.Restore(strings.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	slow.fail = errors.New("down")
	if err := second.Precompute(t.Context(), needs(texts...), nil); err != nil || second.Len() != 3 {
		t.Errorf("%d vectors, %v", second.Len(), err)
	}
	for _, text := range texts {
		if d := cmp.Diff(first.Encode(text), second.Encode(text)); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
	if err := second.Save(&again); err != nil || again.String() != whole {
		t.Errorf("saved again it is another file; %v", err)
	}

	third := encode.NewBlocking(ngram.New(), &counted{lengths: "other"})
	if err := third.Restore(strings.NewReader(whole)); err == nil || !strings.Contains(err.Error(), `of "c/1", not of "other"`) {
		t.Errorf("another encoder's vectors: %v", err)
	}
	fourth := encode.NewBlocking(ngram.New(), slow)
	for _, bad := range []string{"", "{}", whole[:len(whole)-1], whole + "x", strings.Replace(whole, "vectors 1", "vectors 2", 1)} {
		if err := fourth.Restore(strings.NewReader(bad)); err == nil || fourth.Len() != 0 {
			t.Errorf("%q: %d vectors, %v", bad, fourth.Len(), err)
		}
	}
}

func FuzzRestore(f *testing.F) {
	p := encode.NewBlocking(ngram.New(), &counted{lengths: "c/1"})
	if err := p.Precompute(f.Context(), needs("even", "odd"), nil); err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if err := p.Save(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:30])
	f.Fuzz(func(t *testing.T, foreign []byte) {
		p := encode.NewBlocking(ngram.New(), &counted{lengths: "c/1"})
		if err := p.Restore(bytes.NewReader(foreign)); err != nil {
			if p.Len() != 0 {
				t.Fatalf("%d vectors in spite of %v", p.Len(), err)
			}
			return
		}
		var once, twice bytes.Buffer
		if err := p.Save(&once); err != nil {
			t.Fatal(err)
		}
		q := encode.NewBlocking(ngram.New(), &counted{lengths: "c/1"})
		if err := q.Restore(bytes.NewReader(once.Bytes())); err != nil {
			t.Fatal(err)
		}
		if err := q.Save(&twice); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Fatalf("not the same again; %v", err)
		}
	})
}
