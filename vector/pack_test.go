package vector_test

import (
	"bytes"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/vector"
)

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// Each part keeps its own direction, however much longer another one is, and each has length 1.
func TestPackedPartsKeepTheirDirections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts, dim := rapid.IntRange(1, 4).Draw(t, "parts"), rapid.IntRange(1, 50).Draw(t, "dim")
		var x []float32
		empty := make([]bool, parts)
		for part := range parts {
			size := float32(math.Exp(rapid.Float64Range(-10, 10).Draw(t, "size")))
			numbers := rapid.SliceOfN(rapid.Float32Range(-1, 1), dim, dim).Draw(t, "numbers")
			empty[part] = true
			for _, v := range numbers {
				if max(v, -v) < 1e-3 {
					v = 0
				}
				x = append(x, v*size)
				empty[part] = empty[part] && v == 0
			}
		}
		b, err := vector.PackParts(x, parts)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := vector.UnpackParts(b)
		if kind, n, known := vector.PackedAs(b); !ok || !known || kind != vector.PackedText || n != len(x) && n != 0 {
			t.Fatalf("unpacked: %v; kind %d with %d numbers: %v", ok, kind, n, known)
		}
		if parts == 1 && empty[0] {
			if len(got) != 0 {
				t.Fatalf("nothing becomes %v", got)
			}
			return
		}
		if len(got) != parts {
			t.Fatalf("%d parts, want %d", len(got), parts)
		}
		for part, p := range got {
			want := x[part*dim:][:dim]
			if (p == nil) != empty[part] || p != nil && (cosine(p, want) < 0.999 || math.Abs(cosine(p, p)-1) > 1e-5) {
				t.Fatalf("part %d is %v, want the direction of %v", part, p, want)
			}
		}
	})
}

func TestPartsThatCannotBePacked(t *testing.T) {
	for _, c := range []struct {
		x     []float32
		parts int
	}{{[]float32{1, 2, 3}, 2}, {[]float32{1, 2}, 0}, {[]float32{1, 2}, -1}, {make([]float32, 256), 256}, {[]float32{1, float32(math.NaN())}, 2}} {
		if b, err := vector.PackParts(c.x, c.parts); err == nil {
			t.Errorf("%v in %d parts becomes %v", c.x, c.parts, b)
		}
	}
	if b, err := vector.PackParts(nil, 2); err != nil || len(b) != 1 {
		t.Errorf("no numbers become %v, %v", b, err)
	}
}

// Foreign bytes are refused, or are what packing what they hold returns, with all parts of one
// length.
func FuzzUnpackParts(f *testing.F) {
	for _, b := range [][]byte{nil, {1}, {3}, {3, 0}, {3, 2, 1, 2}, {3, 2, 1, 2, 3}, {3, 255, 1}, {3, 1, 1}, {2, 3}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, ok := vector.UnpackParts(b)
		if !ok {
			return
		}
		if kind, _, known := vector.PackedAs(b); !known || kind != vector.PackedText {
			t.Fatalf("%v is unpacked and not known", b)
		}
		for _, p := range parts {
			if c := cosine(p, p); p != nil && math.Abs(c-1) > 1e-4 {
				t.Fatalf("a part of %v has length² %v", b, c)
			}
		}
		if again, ok := vector.UnpackParts(bytes.Clone(b)); !ok || len(again) != len(parts) {
			t.Fatal("not the same again")
		}
	})
}
