package wordpiece_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/encode/text/wordpiece"
)

type golden struct {
	Text  string  `json:"text"`
	IDs   []int32 `json:"ids"`
	Spans []int   `json:"spans"` // start and end of each piece in bytes
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
	if len(all) < 300 {
		t.Fatalf("only %d golden texts", len(all))
	}
	return all
}

// The reference's ids for texts with emoji, joiners, CJK, accents, combining
// marks, control characters, long words, numbers, code and many scripts.
func TestSameAsReference(t *testing.T) {
	tokens := static.Default().Tokenizer()
	for _, g := range readGolden(t) {
		got := tokens.Append(nil, g.Text, 1<<20)
		if len(got) == 0 && len(g.IDs) == 0 {
			continue
		}
		if diff := cmp.Diff(g.IDs, got); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", g.Text, diff)
		}
	}
}

// The reference's places of the pieces in the text, and the same pieces as without.
func TestSpansSameAsReference(t *testing.T) {
	tokens := static.Default().Tokenizer()
	before := wordpiece.Span{Start: 3, End: 4}
	for _, g := range readGolden(t) {
		ids, spans := tokens.AppendSpans([]int32{-7}, []wordpiece.Span{before}, g.Text, 1<<20)
		if diff := cmp.Diff(append([]int32{-7}, g.IDs...), ids); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", g.Text, diff)
		}
		want := []wordpiece.Span{before}
		for i := 0; i < len(g.Spans); i += 2 {
			want = append(want, wordpiece.Span{Start: g.Spans[i], End: g.Spans[i+1]})
		}
		if diff := cmp.Diff(want, spans); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", g.Text, diff)
		}
		limit := len(g.IDs) / 2
		ids, spans = tokens.AppendSpans(nil, nil, g.Text, limit)
		if len(ids) != limit || cmp.Diff(want[1:1+limit], append([]wordpiece.Span{}, spans...)) != "" {
			t.Errorf("%q: limit %d gives %d pieces, %v", g.Text, limit, len(ids), spans)
		}
	}
}

// A limit gives the beginning of what no limit gives, after what dst held.
func TestLimit(t *testing.T) {
	tokens := static.Default().Tokenizer()
	for _, g := range readGolden(t) {
		for _, limit := range []int{-1, 0, 1, 2, 7, len(g.IDs), len(g.IDs) + 1} {
			got := tokens.Append([]int32{-7}, g.Text, limit)
			want := append([]int32{-7}, g.IDs[:max(0, min(limit, len(g.IDs)))]...)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%q, limit %d: (-want +got)\n%s", g.Text, limit, diff)
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	tokens := static.Default().Tokenizer()
	all := readGolden(t)
	ids := make([]int32, 0, 1<<13)
	if n := testing.AllocsPerRun(20, func() {
		for _, g := range all {
			ids = tokens.Append(ids[:0], g.Text, cap(ids))
		}
	}); n != 0 {
		t.Errorf("%v allocations for the golden texts, want none", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	tokens := static.Default().Tokenizer()
	const text = "Reuters - Short-sellers, Wall Street's dwindling band of ultra-cynics, are seeing green again, " +
		"as the private investment firm which has a reputation for making well-timed bets placed them on another part of the market on Thursday."
	ids := make([]int32, 0, 256)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		ids = tokens.Append(ids[:0], text, 256)
	}
	b.ReportMetric(float64(len(ids)), "pieces")
}

// A bad text for the greedy search: long words of the shortest pieces, for each of
// which every length is tried.
func BenchmarkAppendWorst(b *testing.B) {
	tokens := static.Default().Tokenizer()
	text := strings.Repeat(strings.Repeat("q", 100)+" ", 1000)
	b.SetBytes(int64(len(text)))
	ids := make([]int32, 0, 1<<17)
	for b.Loop() {
		ids = tokens.Append(ids[:0], text, cap(ids))
	}
}
