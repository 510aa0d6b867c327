package wordpiece

import "unicode/utf8"

// MaxWord is the longest word in characters, after normalisation, that is looked
// up; a longer one is unknown.
const MaxWord = 100

// words cuts a text into normalised words: control characters and accents
// removed, lower case, split at white space; punctuation and CJK ideographs are
// words of their own.
type words struct {
	text  string
	chars *chars
	buf   [MaxWord * utf8.UTFMax]byte
	n     int // bytes of the word so far
	count int // its characters, beyond MaxWord too
}

// next reads the next word into buf[:n]. Its result is valid until the next call;
// it is false at the end of the text.
func (w *words) next() bool {
	w.n, w.count = 0, 0
	text, table := w.text, &w.chars.table[w.chars.page[0]]
	for len(text) > 0 {
		size := 1
		c := text[0]
		var r rune
		var what uint16
		if c < utf8.RuneSelf {
			r, what = rune(c), table[c]
			if what >= mapped { // upper case; every other ASCII character stays itself
				c, what = w.chars.maps[what-mapped].text[0], stays
			}
			if what == stays {
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
			what = w.chars.of(r)
		}
		if what == spaces || what == alone || what >= mapped && w.chars.maps[what-mapped].alone {
			if w.count > 0 { // the word before; what ended it comes next time
				w.text = text
				return true
			}
			text = text[size:]
			if what == spaces {
				continue
			}
			w.add(r, what)
			w.text = text
			return true
		}
		text = text[size:]
		if what != drops {
			w.add(r, what)
		}
	}
	w.text = text
	return w.count > 0
}

// add appends what becomes of a character to the word.
func (w *words) add(r rune, what uint16) {
	switch {
	case what >= mapped:
		m := &w.chars.maps[what-mapped]
		if w.count+m.chars <= MaxWord {
			w.n += copy(w.buf[w.n:], m.text)
		}
		w.count += m.chars
	case r >= hangulFirst && r <= hangulLast:
		letters, n := hangul(r)
		for _, l := range letters[:n] {
			w.put(l)
		}
	default:
		w.put(r)
	}
}

func (w *words) put(r rune) {
	if w.count < MaxWord {
		w.n += utf8.EncodeRune(w.buf[w.n:], r)
	}
	w.count++
}
