package wordpiece

import "unicode/utf8"

// MaxWord is the longest word in characters, after normalisation, that is looked
// up; a longer one is unknown.
const MaxWord = 100

// wordReader cuts a text into normalised words: control characters and accents removed, in
// lower case, split at white space. Punctuation and CJK ideographs are words of their own.
type wordReader struct {
	text  string
	chars *charTable
	buf   [MaxWord * utf8.UTFMax]byte
	n     int // bytes of the word so far
	count int // its characters, beyond MaxWord too
}

// next reads the next word into buf[:n]. Its result is valid until the next call;
// it is false at the end of the text.
func (w *wordReader) next() bool {
	w.n, w.count = 0, 0
	text, table := w.text, &w.chars.table[w.chars.page[0]]
	for len(text) > 0 {
		size := 1
		c := text[0]
		var r rune
		var what uint16
		if c < utf8.RuneSelf {
			r, what = rune(c), table[c]
			if what >= charMapped { // upper case; every other ASCII character stays itself
				c, what = w.chars.maps[what-charMapped].text[0], charStays
			}
			if what == charStays {
				if w.count < MaxWord {
					w.buf[w.n] = c
					w.n++
				}
				w.count++
				text = text[1:]
				continue
			}
		} else {
			r, size = utf8.DecodeRuneInString(text) // RuneError, for invalid bytes, drops
			what = w.chars.classOf(r)
		}
		if what == charSpace || what == charAlone || what >= charMapped && w.chars.maps[what-charMapped].alone {
			if w.count > 0 { // the word before; what ended it comes next time
				w.text = text
				return true
			}
			text = text[size:]
			if what == charSpace {
				continue
			}
			w.addChar(r, what)
			w.text = text
			return true
		}
		text = text[size:]
		if what != charDropped {
			w.addChar(r, what)
		}
	}
	w.text = text
	return w.count > 0
}

// addChar appends what normalisation makes of a character of class what to the word.
func (w *wordReader) addChar(r rune, what uint16) {
	switch {
	case what >= charMapped:
		m := &w.chars.maps[what-charMapped]
		if w.count+m.chars <= MaxWord {
			w.n += copy(w.buf[w.n:], m.text)
		}
		w.count += m.chars
	case r >= hangulFirst && r <= hangulLast:
		letters, n := decomposeHangul(r)
		for _, l := range letters[:n] {
			w.putRune(l)
		}
	default:
		w.putRune(r)
	}
}

func (w *wordReader) putRune(r rune) {
	if w.count < MaxWord {
		w.n += utf8.EncodeRune(w.buf[w.n:], r)
	}
	w.count++
}
