package wordpiece

import "unicode/utf8"

// Span is where a word piece stands in its text: the bytes from Start up to End.
// It begins with the first character that became part of the piece and ends with
// the last. Pieces can share a character, as the letters of a Hangul syllable do.
type Span struct{ Start, End int }

// AppendSpans is Append that also appends each piece's place in the text to spans.
func (t *Tokenizer) AppendSpans(dst []int32, spans []Span, text string, limit int) ([]int32, []Span) {
	w := wordReader{text: text, chars: t.chars}
	var hashes [maxPieceBytes]uint64
	var p wordPlaces
	first, end := len(dst), len(dst)+max(limit, 0)
	before, from := len(spans), 0
	for len(dst) < end && w.next() {
		to := len(text) - len(w.text)
		whole := p.locate(text, from, to, w.chars)
		from = to
		if w.count > MaxWord {
			dst, spans = append(dst, t.unknown), append(spans, whole)
			continue
		}
		at := len(dst)
		dst = t.appendWord(dst, w.buf[:w.n], &hashes)
		if dst[at] == t.unknown {
			spans = append(spans, whole)
			continue
		}
		for n := 0; at < len(dst); at++ {
			size := len(t.pieces[dst[at]])
			if n > 0 {
				size -= len(continuationPrefix)
			}
			spans = append(spans, Span{p.start[n], p.end[n+size-1]})
			n += size
		}
	}
	dst = dst[:min(len(dst), end)]
	return dst, spans[:before+len(dst)-first]
}

// wordPlaces holds, for each byte of a normalised word, the range of the text it came from.
type wordPlaces struct {
	start, end [MaxWord * utf8.UTFMax]int
}

// locate fills p for the one word in text[from:to] and returns the word's own range.
func (p *wordPlaces) locate(text string, from, to int, table *charTable) Span {
	whole := Span{-1, from}
	n := 0
	for at := from; at < to; {
		r, size := utf8.DecodeRuneInString(text[at:to])
		what := table.classOf(r)
		s := Span{at, at + size}
		at += size
		bytes := 0
		switch {
		case what == charDropped || what == charSpace:
			continue
		case what >= charMapped:
			bytes = len(table.maps[what-charMapped].text)
		case r >= hangulFirst && r <= hangulLast:
			letters, count := decomposeHangul(r)
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
