package ngram

import (
	"slices"
	"testing"

	"github.com/clipperhouse/uax29/v2/words"
	"pgregory.net/rapid"
)

// What is found without the rules is what the rules find.
func TestFirstWordsAreThoseOfUnicode(t *testing.T) {
	tricky := rapid.SampledFrom([]rune("aZ09 .,:;!?'\"_-\n\r\t é\u0301\u200d\u00a0卡אب🇩🇪👩"))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(tricky).Draw(t, "text")
		var want, got []string
		for it := words.FromString(text); it.Next(); {
			want = append(want, it.Value())
		}
		var one, other scratch
		for rest := text; rest != ""; {
			n, simple := nextWord(rest)
			got = append(got, rest[:n])
			if simple {
				letters := one.lowerASCII(rest[:n])
				if other.lowerRunes(rest[:n]) != letters || !slices.Equal(one.runes, other.runes) {
					t.Fatalf("%q is %q, want %q", rest[:n], string(one.runes), string(other.runes))
				}
			}
			rest = rest[n:]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: words %q, want %q", text, got, want)
		}
	})
}
