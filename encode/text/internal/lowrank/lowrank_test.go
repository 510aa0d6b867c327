package lowrank

import (
	"bytes"
	"crypto/sha256"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var small = Base{Name: "some/1", Layers: 2, Hidden: 16, Inner: 32}

func someWeights(b *Base, rank int) []float32 {
	rng := rand.New(rand.NewPCG(5, 6))
	w := make([]float32, b.AdapterSize(rank))
	for i := range w {
		w[i] = float32(rng.IntN(4000)-2000) / 1024 // which float16 holds
	}
	return w
}

func someAdapter(t testing.TB) *Adapter {
	t.Helper()
	a, err := NewAdapter(small, 2, someWeights(&small, 2))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// All float16 survive a conversion there and back.
func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		if f := fromFloat16(uint16(h)); math.Abs(float64(f)) <= maxFloat16 && toFloat16(f) != uint16(h) {
			t.Fatalf("%#x is %g, which is %#x", h, f, toFloat16(f))
		}
	}
}

// Factors are the weights in the order in which NewAdapter takes them.
func TestFactors(t *testing.T) {
	a := someAdapter(t)
	var got []float32
	for layer := range small.Layers {
		for m := range MatrixCount {
			down, up := a.Factors(layer, m)
			in, out := small.MatrixSize(m)
			if len(down) != a.Rank()*in || len(up) != a.Rank()*out {
				t.Errorf("layer %d, matrix %d: %d and %d numbers", layer, m, len(down), len(up))
			}
			got = append(append(got, down...), up...)
		}
	}
	if !slices.Equal(got, someWeights(&small, 2)) {
		t.Error("other weights")
	}
}

func TestWeightsThatAreRefused(t *testing.T) {
	good := someWeights(&small, 2)
	long := small
	long.Name = strings.Repeat("x", nameSize+1)
	for want, adapter := range map[string]func() (*Adapter, error){
		"rank 0":        func() (*Adapter, error) { return NewAdapter(small, 0, nil) },
		"rank 17":       func() (*Adapter, error) { return NewAdapter(small, 17, good) },
		"weights, want": func() (*Adapter, error) { return NewAdapter(small, 2, good[1:]) },
		"weight 0 is": func() (*Adapter, error) {
			return NewAdapter(small, 2, append([]float32{float32(math.NaN())}, good[1:]...))
		},
		"weight 1 is": func() (*Adapter, error) { return NewAdapter(small, 2, append([]float32{0, 65505}, good[2:]...)) },
		"name":        func() (*Adapter, error) { return NewAdapter(long, 2, good) },
	} {
		if _, err := adapter(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// sealed gives changed bytes the checksum that they should have.
func sealed(data []byte) []byte {
	sum := sha256.Sum256(data[:len(data)-sha256.Size])
	return append(data[:len(data)-sha256.Size:len(data)-sha256.Size], sum[:]...)
}

// Each byte counts; and what the header says of another encoder is told.
func TestDamagedAdapters(t *testing.T) {
	a := someAdapter(t)
	data, _ := a.MarshalBinary()
	again, err := ParseAdapter(data, small)
	if err != nil || again.Rank() != a.Rank() || !slices.Equal(again.weights, a.weights) || again.Hash() != a.Hash() {
		t.Fatalf("%v", err)
	}
	for at := range data {
		broken := bytes.Clone(data)
		broken[at] ^= 1
		if _, err := ParseAdapter(broken, small); err == nil {
			t.Errorf("accepted with byte %d changed", at)
		}
	}
	for n := range data {
		if _, err := ParseAdapter(data[:n], small); err == nil {
			t.Errorf("accepted with %d bytes", n)
		}
	}
	set := func(at int, to ...byte) []byte {
		changed := bytes.Clone(data)
		copy(changed[at:], to)
		return sealed(changed)
	}
	other := func(change func(*Base)) Base {
		b := small
		change(&b)
		return b
	}
	for _, c := range []struct {
		data []byte
		base Base
		want string
	}{
		{set(0, 'H'), small, "honelora"},
		{set(8, 1), small, "version 1"},
		{set(12, 17), small, "rank 17"},
		{set(12, 0), small, "rank 0"},
		{set(12, 3), small, "bytes"},
		{set(headerSize, 0, 0x7c), small, "weight 0 is not finite"},
		{append(bytes.Clone(data), 0), small, "bytes"},
		{data, other(func(b *Base) { b.Name = "some/2" }), `for the encoder "some/1", not for "some/2"`},
		{data, other(func(b *Base) { b.Layers = 3 }), "2 layers of 16 and 32 numbers, not for 3"},
		{data, other(func(b *Base) { b.Hidden = 32 }), "2 layers of 16 and 32 numbers, not for 2 of 32"},
		{data, other(func(b *Base) { b.Inner = 48 }), "2 of 16 and 48"},
	} {
		if _, err := ParseAdapter(c.data, c.base); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// Bytes of any content are refused, or are those of an adapter.
func FuzzParseAdapter(f *testing.F) {
	data, _ := someAdapter(f).MarshalBinary()
	f.Add(data[:headerSize])
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ParseAdapter(data, small)
		if err != nil {
			return
		}
		if again, _ := a.MarshalBinary(); !bytes.Equal(again, data) {
			t.Error("read as another adapter")
		}
	})
}
