package static

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

type golden struct {
	Text   string    `json:"text"`
	Vector []float32 `json:"vector"`
}

func readGolden(t testing.TB) []golden {
	t.Helper()
	f, err := os.Open("testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []golden
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d golden texts", len(all))
	}
	return all
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// plain is the encoding written down simply: a sum of rows times scales.
func plain(e *Encoder, text string) []float32 {
	sum := make([]float64, e.Dim())
	for _, id := range e.tokens.Append(nil, text, MaxPieces) {
		for i, b := range e.table.row(id) {
			sum[i] += float64(int8(b)) * float64(e.table.scales[id])
		}
	}
	var squares float64
	for _, v := range sum {
		squares += v * v
	}
	if squares == 0 {
		return nil
	}
	var rest float64
	for i := range sum {
		sum[i] = sum[i]/math.Sqrt(squares) - e.mean[i]
		rest += sum[i] * sum[i]
	}
	v := make([]float32, len(sum))
	for i := range v {
		v[i] = float32(sum[i] / math.Sqrt(rest))
	}
	return v
}

func TestTableIsTheOneThatWasMade(t *testing.T) {
	want, err := os.ReadFile("table.bin.sha256")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(embeddedTable)
	if got := hex.EncodeToString(sum[:]) + "  table.bin\n"; got != string(want) {
		t.Errorf("table.bin has the checksum %s, want %s", got, want)
	}
	e := Default()
	if e.Dim() != 256 || e.Tokenizer().Len() != 30522 {
		t.Errorf("%d pieces of %d dimensions", e.Tokenizer().Len(), e.Dim())
	}
	if !strings.Contains(e.Note(), "Apache License 2.0") {
		t.Errorf("no licence in the note %q", e.Note())
	}
}

// The vectors that numpy computes from the table and the reference tokenizer's ids.
func TestSameAsNumpy(t *testing.T) {
	e := Default()
	for _, g := range readGolden(t) {
		got := e.Encode(nil, g.Text)
		if len(got) != len(g.Vector) {
			t.Errorf("%.60q: %d dimensions, want %d", g.Text, len(got), len(g.Vector))
			continue
		}
		if len(got) == 0 {
			continue
		}
		if c := dot(got, g.Vector); c < 0.9999 {
			t.Errorf("%.60q: cosine %v", g.Text, c)
		}
		if n := dot(got, got); math.Abs(n-1) > 1e-5 {
			t.Errorf("%.60q: squared length %v", g.Text, n)
		}
	}
}

// Sums in fixed point are those in floating point, for long texts and for the
// pieces with the largest and smallest scales too, where 32 bits would overflow.
func TestSumsExactly(t *testing.T) {
	e := Default()
	longest, shortest := int32(0), int32(0)
	for i, f := range e.factors {
		if f > e.factors[longest] {
			longest = int32(i)
		}
		if f > 0 && (e.factors[shortest] == 0 || f < e.factors[shortest]) {
			shortest = int32(i)
		}
	}
	texts := []string{
		strings.Repeat(e.tokens.Piece(longest)+" ", maxBlockPieces-1),
		strings.Repeat(e.tokens.Piece(longest)+" ", maxBlockPieces),
		strings.Repeat(e.tokens.Piece(longest)+" ", maxBlockPieces+1),
		strings.Repeat(e.tokens.Piece(longest)+" ", MaxPieces),
		strings.Repeat(e.tokens.Piece(shortest)+" ", MaxPieces),
	}
	for _, text := range texts {
		if len(e.tokens.Append(nil, text, MaxPieces)) < maxBlockPieces-1 {
			t.Fatalf("%.20q is not one piece", text)
		}
		if c := dot(plain(e, text), e.Encode(nil, text)); c < 0.99999 {
			t.Errorf("%.20q: cosine %v", text, c)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.Int32Range(0, int32(e.tokens.Len()-1)), 1, 600).Draw(t, "ids")
		var text strings.Builder
		for _, id := range ids {
			text.WriteString(e.tokens.Piece(id) + " ")
		}
		want, got := plain(e, text.String()), e.Encode(nil, text.String())
		if len(want) != len(got) {
			t.Fatalf("%d dimensions, want %d", len(got), len(want))
		}
		if c := dot(want, got); len(got) > 0 && c < 0.9999 {
			t.Fatalf("cosine %v", c)
		}
	})
}

func TestNothingKnownIsNoVector(t *testing.T) {
	dst := make([]float32, 300)
	for _, text := range []string{"", " \n", "\x00\u200d", "\xff", "😀", "ꮳꮃꭹ", strings.Repeat("x", 101)} {
		if v := Default().Encode(dst, text); len(v) != 0 {
			t.Errorf("%q has a vector", text)
		}
	}
}

// What follows the last piece that counts makes no difference.
func TestCap(t *testing.T) {
	text := strings.Repeat("card ", MaxPieces)
	a, b := Default().Encode(nil, text), Default().Encode(nil, text+"weather is lovely")
	if !slices.Equal(a, b) {
		t.Error("pieces beyond the cap count")
	}
}

func TestEncodeUsesTheBuffer(t *testing.T) {
	e := Default()
	buf := make([]float32, 1, 300)
	v := e.Encode(buf, "hello")
	if len(v) != e.Dim() || &v[0] != &buf[0] {
		t.Error("a large enough buffer is not used")
	}
	if v := e.Encode(make([]float32, 10), "hello"); len(v) != e.Dim() {
		t.Error("a small buffer is not replaced")
	}
}

func TestConcurrentUse(t *testing.T) {
	e := Default()
	all := readGolden(t)
	want := make([][]float32, len(all))
	for i, g := range all {
		want[i] = e.Encode(nil, g.Text)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, g := range all {
				if !slices.Equal(e.Encode(nil, g.Text), want[i]) {
					t.Errorf("%.60q: another vector", g.Text)
				}
			}
		})
	}
	wg.Wait()
}

// Near in meaning is near in space: the least the table must do.
func TestMeaning(t *testing.T) {
	e := Default()
	for _, c := range [][3]string{
		{"my credit card was stolen", "lost bank card", "will it rain tomorrow"},
		{"I am furious", "anger", "joy"},
		{"a delicious pasta recipe", "cooking dinner", "car repair"},
		{"the match ended in a draw", "football", "surgery"},
	} {
		text, near, far := e.Encode(nil, c[0]), e.Encode(nil, c[1]), e.Encode(nil, c[2])
		if dot(text, near) <= dot(text, far)+0.1 {
			t.Errorf("%q: %.3f to %q, %.3f to %q", c[0], dot(text, near), c[1], dot(text, far), c[2])
		}
	}
}

func TestBrokenTables(t *testing.T) {
	for at := range 32 {
		broken := slices.Clone(embeddedTable)
		broken[at] ^= 0x55
		if at < 28 { // what follows is not used yet
			if _, err := newEncoder(broken, nil); err == nil {
				t.Errorf("accepted with header byte %d changed", at)
			}
		}
	}
	for _, size := range []int{0, 7, 31, 32, 1000, len(embeddedTable) / 2, len(embeddedTable) - 1} {
		if _, err := newEncoder(embeddedTable[:size], nil); err == nil {
			t.Errorf("accepted with %d of %d bytes", size, len(embeddedTable))
		}
	}
}

func TestBrokenMeans(t *testing.T) {
	nan := slices.Clone(embeddedMean)
	copy(nan[8:], []byte{0, 0, 0xc0, 0x7f})
	for name, mean := range map[string][]byte{"short": embeddedMean[:1020], "long": append(embeddedMean[:1024:1024], 0, 0, 0, 0), "NaN": nan} {
		if _, err := newEncoder(embeddedTable, mean); err == nil {
			t.Errorf("accepted: %s", name)
		}
	}
}

// What texts of all kinds share is taken off: two texts that have only function
// words in common are not alike.
func TestFunctionWordsSayLittle(t *testing.T) {
	e := Default()
	a, b := e.Encode(nil, "what is the name of it and where do I have to go"), e.Encode(nil, "there is a bug in the compiler of the language that I have")
	if c := dot(a, b); c > 0.2 {
		t.Errorf("cosine %.3f", c)
	}
	without, err := newEncoder(embeddedTable, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b = without.Encode(nil, "what is the name of it and where do I have to go"), without.Encode(nil, "there is a bug in the compiler of the language that I have")
	if c := dot(a, b); c < 0.3 {
		t.Errorf("cosine %.3f without the mean: the texts don't show anything", c)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(embeddedTable[:200])
	f.Add([]byte(fileMagic + "\x01\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x05[UNK]"))
	small := append([]byte(fileMagic+"\x01\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x05[UNK]"), make([]byte, 98)...)
	small[64+3], small[128] = 0x3f, 1
	if _, err := newEncoder(small, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := newEncoder(data, nil)
		if err != nil {
			return
		}
		if v := e.Encode(nil, "x"); len(v) != 0 && len(v) != e.Dim() {
			t.Errorf("%d dimensions, want %d", len(v), e.Dim())
		}
	})
}

// A news text of about 40 words.
const news = "Reuters - Short-sellers, Wall Street's dwindling band of ultra-cynics, are seeing green again, " +
	"as the private investment firm which has a reputation for making well-timed bets placed them on another part of the market on Thursday."

func BenchmarkEncode(b *testing.B) {
	e := Default()
	texts := []string{news}
	for i := range 200 { // other rows of the table, so that it isn't all in the nearest cache
		words := strings.Fields(news)
		for j := range 10 {
			words[j*3] = e.tokens.Piece(int32(2000 + (i*997+j*2963)%28000))
		}
		texts = append(texts, strings.Join(words, " "))
	}
	dst := make([]float32, e.Dim())
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		dst = e.Encode(dst, texts[i%len(texts)])
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		if _, err := newEncoder(embeddedTable, embeddedMean); err != nil {
			b.Fatal(err)
		}
	}
}
