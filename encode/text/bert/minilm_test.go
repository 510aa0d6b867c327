package bert

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// minilmFolder is the folder of all-MiniLM-L6-v2 (tools/bert says where it is to be had), without
// which tests are skipped.
func minilmFolder(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("HONE_TEST_MINILM")
	if dir == "" {
		t.Skip("HONE_TEST_MINILM names no folder of all-MiniLM-L6-v2, see tools/bert/README.md")
	}
	return dir
}

func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		dot, aa, bb = dot+float64(a[i])*float64(b[i]), aa+float64(a[i])*float64(a[i]), bb+float64(b[i])*float64(b[i])
	}
	return dot / math.Sqrt(aa*bb)
}

// TestMiniLM compares with what numpy made of the same weights, in float32 (tools/minilm), as to the last part, and
// with the int8 weights in the program as to the middle.
func TestMiniLM(t *testing.T) {
	e, err := Open(minilmFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	const width, most = 384, 254
	data := filepath.Join("..", "minilm", "testdata")
	f, err := os.Open(filepath.Join(data, "golden.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	last, middle := halves(t, filepath.Join(data, "golden.f16")), halves(t, filepath.Join(data, "middle.f16"))
	var texts []string
	var wantLast, wantMiddle [][]float32
	lines := bufio.NewScanner(f)
	for i := 0; lines.Scan(); i++ {
		var row struct {
			Text   string
			Pieces int
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.Pieces > most {
			continue // read in windows here
		}
		texts = append(texts, row.Text)
		wantLast, wantMiddle = append(wantLast, last[2*i*width:][:width]), append(wantMiddle, middle[i*width:][:width])
	}
	got, err := e.EncodeBatch(t.Context(), texts)
	if err != nil || len(texts) < 250 {
		t.Fatalf("%d texts: %v", len(texts), err)
	}
	leastLast, leastMiddle := 1.0, 1.0
	for i, v := range got {
		leastLast = min(leastLast, cosine(v[e.Dim():], wantLast[i]))
		leastMiddle = min(leastMiddle, cosine(v[:e.Dim()], wantMiddle[i]))
	}
	t.Logf("%d texts: least cosine %.8f, of the middle layers with int8 weights %.5f", len(texts), leastLast, leastMiddle)
	if leastLast < 0.999999 || leastMiddle < 0.99 {
		t.Errorf("least cosines %.8f and %.5f", leastLast, leastMiddle)
	}
}

// halves reads a file of 16-bit numbers.
func halves(t *testing.T, path string) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(b)/2)
	for i := range out {
		h := binary.LittleEndian.Uint16(b[2*i:])
		v := math.Ldexp(float64(1024+int(h&1023)), int(h>>10&31)-25)
		if h>>10&31 == 0 {
			v = math.Ldexp(float64(h&1023), -24)
		}
		if h>>15 == 1 {
			v = -v
		}
		out[i] = float32(v)
	}
	return out
}
