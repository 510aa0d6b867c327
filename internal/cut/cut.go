// Package cut shortens texts, never within a character.
package cut

import "unicode/utf8"

// Bytes is the beginning of a text, at most n bytes. Where the text is not UTF-8 it may be
// up to four bytes more than needed shorter, no more.
func Bytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	end := n
	for end > max(0, n-utf8.UTFMax) && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// Runes is the beginning of a text, at most n characters.
func Runes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	at := 0
	for ; n > 0 && at < len(text); n-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return text[:at]
}

// Ellipsis is the beginning of a text, at most n characters, with " …" after it where it goes on.
func Ellipsis(text string, n int) string {
	if short := Runes(text, n); short != text {
		return short + " …"
	}
	return text
}
