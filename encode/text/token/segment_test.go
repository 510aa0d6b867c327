package token

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/vector"
)

func pieces(text string) []string {
	var out []string
	for _, t := range Segment(nil, text) {
		out = append(out, text[t.Start:t.End])
	}
	return out
}

func TestSegment(t *testing.T) {
	for text, want := range map[string]string{
		"Ada met Zoë's U.S. aunt.":    "Ada|met|Zoë|'|s|U.S|.|aunt|.",
		"don’t a_b x:y 3.5 1,000 km":  "don|’|t|a|_|b|x|:|y|3.5|1,000|km",
		"東京 に 行く":                     "東|京|に|行|く",
		"カタカナ":                        "カタカナ",
		"a 👩‍💻 b":                     "a|👩‍💻|b",
		"Cafe\u0301\r\nline":          "Cafe\u0301|line",
		"see http://t.co/a?b=c_d, ok": "see|http://t.co/a?b=c_d,|ok",
		"\u200b \u00a0 \t":            "",
		"@handle #tag":                "@|handle|#|tag",
		"":                            "",
	} {
		assert.Equal(t, want, strings.Join(pieces(text), "|"), "%q", text)
	}
}

func FuzzEncodeTokens(f *testing.F) {
	for _, s := range []string{"Ada met Zoë's U.S. aunt.", "東京 a://b c", "👩‍💻\r\nCafe\u0301", "\xff\xfe a\x00b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens := Segment(nil, text)
		last := 0
		for _, k := range tokens {
			if k.Start < last || k.End <= k.Start || k.End > len(text) {
				t.Fatalf("tokens %v of %q", tokens, text)
			}
			if utf8.ValidString(text) && !utf8.ValidString(text[k.Start:k.End]) {
				t.Fatalf("token %v cuts a character of %q", k, text)
			}
			last = k.End
		}
		xs := Encode(text, tokens, nil, nil)
		if len(xs) != len(tokens) {
			t.Fatalf("%d vectors of %d tokens", len(xs), len(tokens))
		}
		for _, x := range xs {
			if !(x.Norm2 > 0.999 && x.Norm2 < 1.001) {
				t.Fatalf("length² %v in %q", x.Norm2, text)
			}
			seen := map[uint32]bool{}
			for _, term := range x.Terms {
				if seen[term.Bucket()] || term.Units() == 0 {
					t.Fatalf("bucket %d twice or empty", term.Bucket())
				}
				seen[term.Bucket()] = true
			}
		}
	})
}

// A neighbour's case, ending or word is seen; what is further than two tokens away
// is not.
func TestTokensSeeTheirNeighbours(t *testing.T) {
	of := func(text string, i int) map[vector.Term]bool {
		out := map[vector.Term]bool{}
		for _, x := range Encode(text, Segment(nil, text), nil, nil)[i].Terms {
			out[x] = true
		}
		return out
	}
	base := of("a b c d e f", 0)
	assert.Equal(t, base, of("a b c X e f", 0))
	assert.NotEqual(t, base, of("a b X d e f", 0))
	assert.NotEqual(t, base, of("a B c d e f", 0))
	assert.NotEqual(t, base, of("ab b c d e f", 0))
}
