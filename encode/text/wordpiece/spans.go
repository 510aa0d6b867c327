package wordpiece

import "unicode/utf8"

// Span is where a word piece stands in its text: the bytes from Start up to End.
// It begins with the first character that became part of the piece and ends with
// the last. Pieces can share a character, as the letters of a Hangul syllable do.
type Span struct{ Start, End int }

// AppendSpans is Append that also appends each piece's place in the text to spans.
func (t *Tokenizer) AppendSpans(dst []int32, spans []Span, text string, limit int) ([]int32, []Span) {
	w := words{text: text, chars: t.chars}
	var hashes [maxPiece]uint64
	var p places
	first, end := len(dst), len(dst)+max(limit, 0)
	before, from := len(spans), 0
	for len(dst) < end && w.next() {
		to := len(text) - len(w.text)
		whole := p.read(text, from, to, w.chars)
		from = to
		if w.count > MaxWord {
			dst, spans = append(dst, t.unknown), append(spans, whole)
			continue
		}
		at := len(dst)
		dst = t.word(dst, w.buf[:w.n], &hashes)
		if dst[at] == t.unknown {
			spans = append(spans, whole)
			continue
		}
		for n := 0; at < len(dst); at++ {
			size := len(t.pieces[dst[at]])
			if n > 0 {
				size -= len(continued)
			}
			spans = append(spans, Span{p.start[n], p.end[n+size-1]})
			n += size
		}
	}
	dst = dst[:min(len(dst), end)]
	return dst, spans[:before+len(dst)-first]
}

// places are the places in the text of what became the bytes of a word.
type places struct {
	start, end [MaxWord * utf8.UTFMax]int
}

// read finds the places of the one word that the text from from up to to holds,
// and returns the word's own.
func (p *places) read(text string, from, to int, table *chars) Span {
	whole := Span{-1, from}
	n := 0
	for at := from; at < to; {
		r, size := utf8.DecodeRuneInString(text[at:to])
		what := table.of(r)
		s := Span{at, at + size}
		at += size
		bytes := 0
		switch {
		case what == drops || what == spaces:
			continue
		case what >= mapped:
			bytes = len(table.maps[what-mapped].text)
		case r >= hangulFirst && r <= hangulLast:
			letters, count := hangul(r)
			for _, l := range letters[:count] {
				bytes += utf8.RuneLen(l)
			}
		default:
			bytes = size
		}
		if whole.Start < 0 {
			whole.Start = s.Start
		}
		whole.End = s.End
		for end := min(n+bytes, len(p.start)); n < end; n++ {
			p.start[n], p.end[n] = s.Start, s.End
		}
	}
	if whole.Start < 0 {
		whole.Start = whole.End
	}
	return whole
}
