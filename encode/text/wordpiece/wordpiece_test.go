package wordpiece

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func split(t testing.TB, text string) []string {
	t.Helper()
	table, err := loadChars()
	if err != nil {
		t.Fatal(err)
	}
	w := wordReader{text: text, chars: table}
	var all []string
	for w.next() {
		if w.count > MaxWord {
			all = append(all, Unknown)
			continue
		}
		all = append(all, string(w.buf[:w.n]))
	}
	return all
}

// Every character of Unicode between two letters becomes what the reference makes
// of it: the checksum is of the reference's words.
func TestEveryCharacter(t *testing.T) {
	want, err := os.ReadFile("testdata/chars.sha256")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		sum.Write([]byte(strings.Join(split(t, "a"+string(r)+"b"), " ") + "\n"))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != strings.TrimSpace(string(want)) {
		t.Errorf("checksum over all characters is %s, the reference's %s", got, want)
	}
}

// Against Unicode itself: letters are decomposed, lose their accents and become
// lower case, in whatever order they stand.
func TestLettersAsUnicodeSays(t *testing.T) {
	for r := rune(0x80); r < 0x2000; r++ {
		if !unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic) || unicode.In(r, unicode.Mn) {
			continue
		}
		var want strings.Builder
		for _, d := range norm.NFD.String(string(r)) {
			if !unicode.Is(unicode.Mn, d) {
				want.WriteRune(unicode.ToLower(d))
			}
		}
		if got := strings.Join(split(t, string(r)), " "); got != want.String() {
			t.Errorf("%U becomes %q, want %q", r, got, want.String())
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	got := split(t, "a\xffb \xc3( \xe4\xbd")
	if strings.Join(got, " ") != "ab (" {
		t.Errorf("got %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, pieces := range map[string][]string{
		"nothing":     nil,
		"no unknown":  {"a", "b"},
		"twice":       {Unknown, "a", "a"},
		"empty":       {Unknown, ""},
		"not UTF-8":   {Unknown, "\xff"},
		"overlong":    {Unknown, strings.Repeat("a", maxPieceBytes+1)},
		"within long": {Unknown, continuationPrefix + strings.Repeat("a", maxPieceBytes+1)},
	} {
		if _, err := New(pieces); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A vocabulary where first and inner pieces have the same letters, and where being
// greedy fails.
func TestGreedy(t *testing.T) {
	tok, err := New([]string{Unknown, "a", "##a", "ab", "##b", "abc", "##cd", "#", "##"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"a": "a", "aa": "a ##a", "AB": "ab", "abb": "ab ##b", "abc": "abc",
		"abcd":  Unknown, // abc leaves d; the reference doesn't go back to ab ##cd
		"abcda": Unknown, "b": Unknown, "##a": "# # a", "a b a": "a " + Unknown + " a",
		strings.Repeat("a", MaxWord+1): Unknown,
	} {
		var got []string
		for _, id := range tok.Append(nil, text, 1000) {
			got = append(got, tok.Piece(id))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Pieces put together again are the normalised words, whatever the bytes.
func FuzzRejoin(f *testing.F) {
	pieces := []string{Unknown, "th", "the", "##😀", "é", "日", "##本", "ᄒ", "##ᅡ", "##ᆫ"}
	for c := byte(' ' + 1); c < 0x7f; c++ {
		if c >= 'A' && c <= 'Z' {
			continue
		}
		pieces = append(pieces, string(rune(c)))
		if c != '#' {
			pieces = append(pieces, continuationPrefix+string(rune(c)))
		}
	}
	tok, err := New(pieces)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "The theme!", "Éé\u0301 x", "日本 한", "a\x00\xff\u200db", strings.Repeat("the", 40), "x😀 😀", "\u2260[UNK]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ids := tok.Append(nil, text, len(text)*3+1)
		same, spans := tok.AppendSpans(nil, nil, text, len(text)*3+1)
		if !slices.Equal(ids, same) || len(spans) != len(ids) {
			t.Fatalf("%q: pieces %v, with %d spans %v", text, ids, len(spans), same)
		}
		at := Span{}
		for _, s := range spans {
			if s.Start < at.Start || s.End < at.End || s.End <= s.Start || s.End > len(text) {
				t.Fatalf("%q: span %v after %v", text, s, at)
			}
			at = s
		}
		for _, word := range split(t, text) {
			if len(ids) == 0 {
				t.Fatalf("%q: no piece left for the word %q", text, word)
			}
			if ids[0] == tok.Unknown() {
				ids = ids[1:]
				continue
			}
			joined := tok.Piece(ids[0])
			if joined != continuationPrefix && strings.HasPrefix(joined, continuationPrefix) {
				t.Fatalf("%q: the word %q begins with the inner piece %q", text, word, joined)
			}
			for ids = ids[1:]; len(ids) > 0 && strings.HasPrefix(tok.Piece(ids[0]), continuationPrefix); ids = ids[1:] {
				joined += tok.Piece(ids[0])[len(continuationPrefix):]
			}
			if joined != word {
				t.Fatalf("%q: the pieces of %q make %q", text, word, joined)
			}
		}
		if len(ids) > 0 {
			t.Fatalf("%q: %d pieces too many", text, len(ids))
		}
	})
}
