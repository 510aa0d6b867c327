// Package token cuts texts into the tokens that spans are made of, and gives each its
// features.
package token

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"

	"github.com/hone-ml/hone/internal/cut"
)

// MaxText is how many bytes of a text are read; the rest is ignored. It bounds what one
// task of a stranger can cost.
const MaxText = 256 << 10

// Token is a range of bytes of a text that lies as a whole in a span or outside of it.
type Token struct{ Start, End int }

// MaxTokens is how many tokens of a text there are at most; what follows is in no token.
const MaxTokens = 20000

// Segment appends the tokens of a text to dst, in order and without overlap.
// They are the words of Unicode's annex 29 without white space, which split
// scripts without spaces by character, cut further at apostrophes, colons and
// underscores, since people mark "Zoë" in "Zoë's". What follows "://" up to white
// space is one token with what came before. Only the first MaxText bytes are read.
func Segment(dst []Token, text string) []Token {
	text = Truncate(text)
	limit := len(dst) + MaxTokens
	it := words.FromString(text)
	skip := 0 // end of a URL
	for it.Next() && len(dst) < limit {
		start, end := it.Start(), it.End()
		if start < skip {
			continue
		}
		if isBlank(text[start:end]) {
			continue
		}
		if letter, _ := utf8.DecodeRuneInString(text[start:]); unicode.IsLetter(letter) && strings.HasPrefix(text[end:], "://") {
			skip = end + len("://")
			for skip < len(text) {
				r, n := utf8.DecodeRuneInString(text[skip:])
				if unicode.IsSpace(r) {
					break
				}
				skip += n
			}
			dst = append(dst, Token{start, skip})
			continue
		}
		dst = cutWord(dst, text, start, end)
	}
	return dst[:min(len(dst), limit)]
}

// cutWord appends a word, cut at the characters that join two words.
func cutWord(dst []Token, text string, start, end int) []Token {
	from := start
	for i := start; i < end; {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch r {
		case '\'', '’', ':', '_', '·', '＇':
			if i > from {
				dst = append(dst, Token{from, i})
			}
			dst = append(dst, Token{i, i + n})
			from = i + n
		}
		i += n
	}
	if from < end {
		dst = append(dst, Token{from, end})
	}
	return dst
}

// isBlank reports whether a word has no visible character.
func isBlank(word string) bool {
	for _, r := range word {
		if !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Cc, r) {
			return false
		}
	}
	return true
}

// Truncate ends the text at MaxText, not within a character.
func Truncate(text string) string { return cut.Bytes(text, MaxText) }
