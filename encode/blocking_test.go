package encode_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/vector"
)

func TestPackKeepsTheDirection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		x := make([]float32, rapid.IntRange(1, 512).Draw(t, "dim"))
		size := math.Exp(rapid.Float64Range(-20, 20).Draw(t, "size"))
		for i := range x {
			x[i] = float32(rng.NormFloat64() * size)
		}
		b, err := vector.Pack(x)
		if err != nil {
			t.Fatal(err)
		}
		y, ok := vector.Unpack(b)
		if !ok || len(b) != len(x)+1 {
			t.Fatalf("%d bytes, %v", len(b), ok)
		}
		var xx, xy, yy float64
		for i := range x {
			xx += float64(x[i]) * float64(x[i])
			xy += float64(x[i]) * float64(y[i])
			yy += float64(y[i]) * float64(y[i])
		}
		if math.Abs(yy-1) > 1e-5 || xy/math.Sqrt(xx*yy) < 0.9999 {
			t.Fatalf("length %g, cosine %g", math.Sqrt(yy), xy/math.Sqrt(xx*yy))
		}
	})
	for _, none := range [][]float32{nil, {0, 0}} {
		b, err := vector.Pack(none)
		if x, ok := vector.Unpack(b); err != nil || x != nil || !ok {
			t.Errorf("%v becomes %v, %v, %v", none, x, ok, err)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := vector.Pack([]float32{1, float32(bad)}); err == nil {
			t.Errorf("%v is packed", bad)
		}
	}
	for _, foreign := range [][]byte{nil, {}, {0}, {2, 3}} {
		if _, ok := vector.Unpack(foreign); ok {
			t.Errorf("%v is unpacked", foreign)
		}
	}
}

// counted embeds as lengths does and counts.
type counted struct {
	lengths
	mu   sync.Mutex
	n    int
	fail error
}

func (c *counted) EncodeBatch(_ context.Context, texts []string) ([][]float32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return nil, c.fail
	}
	out := make([][]float32, len(texts))
	for i, t := range texts {
		c.n++
		out[i] = c.Encode(nil, t)
	}
	return out, nil
}

// needs are those of texts as a whole.
func needs(texts ...string) []encode.Request {
	out := make([]encode.Request, len(texts))
	for i, t := range texts {
		out[i].Text = t
	}
	return out
}

func TestPatientWaitsOnceForEachText(t *testing.T) {
	slow := &counted{lengths: "c/1"}
	p := encode.NewBlocking(ngram.New(), slow)
	if p.Name() != "hashed/1+c/1" {
		t.Errorf("name %q", p.Name())
	}
	last := 0
	if err := p.Precompute(t.Context(), needs("even", "odd", "odd", ""), func(done, all int) { last = all - done }); err != nil || last != 0 {
		t.Fatalf("%d left, %v", last, err)
	}
	for text, want := range map[string]float32{"even": 1, "odd": 0, "later": 0} {
		if v := p.Encode(text); len(v.Dense) != 1 || v.Dense[0][0] != want || len(v.Terms) == 0 {
			t.Errorf("%q: %v", text, v.Dense)
		}
	}
	p.Encode("later")
	if v := p.Encode(" "); !v.Empty() || slow.n != 3 {
		t.Errorf("%d texts were encoded", slow.n)
	}
	slow.fail = errors.New("down")
	if err := p.Precompute(t.Context(), needs("new"), nil); !errors.Is(err, slow.fail) {
		t.Errorf("error %v", err)
	}
	if v := p.Encode("new"); v.Dense[0] != nil || len(v.Terms) == 0 {
		t.Errorf("while it is down: %v", v.Dense)
	}
}
