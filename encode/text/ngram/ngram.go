// Package ngram encodes texts as hashed word and character n-grams.
package ngram

import (
	"math"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"

	"github.com/hone-ml/hone/encode/text/internal/hashing"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/vector"
)

const (
	minGram = 3
	maxGram = 5

	// wordEdge stands for both ends of a word in character n-grams; no text holds it.
	wordEdge = unicode.MaxRune + 1
)

// Encoder counts the word 1- and 2-grams of a text and its character 3- to 5-grams within
// words, lower-cased, in one hashed space with random signs (Weinberger et al. 2009,
// "Feature hashing for large scale multitask learning"). Words and characters each have
// values 1+log(tf), length 1, and half of the weight. It needs no dictionary and no
// language: words are those of Unicode's annex 29.
type Encoder struct {
	words bool // no character n-grams
	pool  sync.Pool
}

// New makes the encoder. It is safe for concurrent use.
func New() *Encoder {
	return &Encoder{pool: sync.Pool{New: func() any { return newScratch() }}}
}

// NewWords makes an encoder of word 1- and 2-grams alone. It is several times as fast, and
// gives unseen words nothing in common with seen ones.
func NewWords() *Encoder {
	h := New()
	h.words = true
	return h
}

// Name implements encode.Encoder. The number goes up whenever vectors change.
func (h *Encoder) Name() string {
	if h.words {
		return "words/1"
	}
	return "hashed/1"
}

// Encode implements encode.Encoder. Invalid UTF-8 counts as the replacement character.
func (h *Encoder) Encode(text string) vector.Vector {
	s := h.pool.Get().(*scratch)
	defer h.pool.Put(s)
	s.reset()
	s.readText(token.Truncate(text), !h.words)
	return s.vector()
}

// scratch is the working memory of one Encode. entries counts grams in the order in which
// they were first seen. table is a hash table with open addressing; it holds base plus the
// entry's number, from 1. What earlier texts left there is at most base, so that nothing
// has to be cleared between texts.
type scratch struct {
	table    []uint32
	base     uint32
	entries  []gramCount
	runes    []rune
	hashes   []uint64
	repeated []int32
}

type gramCount struct {
	bucket     uint32
	word, char int32 // signed counts
}

func newScratch() *scratch { return &scratch{table: make([]uint32, 1<<11)} }

func (s *scratch) reset() {
	s.base += uint32(len(s.entries))
	s.entries = s.entries[:0]
	if s.base > 1<<31 {
		clear(s.table)
		s.base = 0
	}
}

func (s *scratch) readText(text string, chars bool) {
	var last uint64 // hash of the word before, 0 at the start
	for len(text) > 0 {
		n, simple := nextWord(text)
		word := text[:n]
		text = text[n:]
		var letters bool
		if simple {
			letters = s.lowerASCII(word)
		} else {
			letters = s.lowerRunes(word)
		}
		if len(s.runes) == 2 {
			continue // white space
		}
		h := uint64(hashing.SeedWord)
		for _, r := range s.runes[1 : len(s.runes)-1] {
			h = (h ^ uint64(r)) * hashing.Prime
		}
		h = hashing.Mix(h)
		s.hashes = append(s.hashes[:0], h)
		if last != 0 {
			s.hashes = append(s.hashes, hashing.Mix(last*hashing.SeedPair^h))
		}
		of := len(s.hashes)
		last = h | 1
		if letters && chars {
			s.appendCharGrams()
		}
		s.countGrams(of)
	}
}

// nextWord returns the length in bytes of the first word of a text that is not empty, by
// the rules of Unicode's annex 29, for which white space is a word too. simple is true if
// the fast path found it: ASCII letters and digits that nothing behind them can continue,
// or a space or a mark between two such words.
func nextWord(text string) (n int, simple bool) {
	for n < len(text) && asciiKinds[text[n]] == asciiAlphanumeric {
		n++
	}
	switch {
	case n == 0:
		if what := asciiKinds[text[0]]; what == asciiSpace && len(text) > 1 && asciiKinds[text[1]] == asciiAlphanumeric || what == asciiMark && atWordEnd(text[1:]) {
			return 1, true
		}
	case atWordEnd(text[n:]) || asciiKinds[text[n]] == asciiMark && atWordEnd(text[n+1:]):
		return n, true
	}
	it := words.FromString(text)
	it.Next()
	return len(it.Value()), false
}

// atWordEnd reports whether text is empty or begins with a space.
func atWordEnd(text string) bool { return text == "" || text[0] == ' ' }

// asciiKinds gives the kind of each ASCII character that the fast path of nextWord takes;
// 0 for the others.
var asciiKinds = func() (what [256]uint8) {
	for c := range what[:utf8.RuneSelf] {
		if r := rune(c); unicode.IsLetter(r) || unicode.IsDigit(r) {
			what[c] = asciiAlphanumeric
		}
	}
	what[' '] = asciiSpace
	for _, c := range ".,:;!?'" {
		what[c] = asciiMark
	}
	return what
}()

const (
	asciiAlphanumeric = iota + 1
	asciiSpace
	asciiMark
)

// lowerASCII is lowerRunes for words that nextWord calls simple.
func (s *scratch) lowerASCII(word string) (letters bool) {
	s.runes = append(s.runes[:0], wordEdge)
	if word != " " {
		for i := range len(word) {
			s.runes = append(s.runes, rune(word[i]|('a'-'A'))) // digits and marks have that bit
		}
	}
	s.runes = append(s.runes, wordEdge)
	return asciiKinds[word[0]] == asciiAlphanumeric
}

// lowerRunes fills s.runes with the word in lower case between two edges, without
// white space and format characters, and reports whether it holds a letter or a
// digit.
func (s *scratch) lowerRunes(word string) (letters bool) {
	s.runes = append(s.runes[:0], wordEdge)
	for _, r := range word {
		if r < utf8.RuneSelf {
			switch {
			case 'A' <= r && r <= 'Z':
				r += 'a' - 'A'
				letters = true
			case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
				letters = true
			case r <= ' ' || r == 0x7f:
				continue
			}
		} else {
			if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
				continue
			}
			r = unicode.ToLower(r)
			letters = letters || unicode.IsLetter(r) || unicode.IsNumber(r)
		}
		s.runes = append(s.runes, r)
	}
	s.runes = append(s.runes, wordEdge)
	return letters
}

// appendCharGrams appends the hashes of the character n-grams of the word in s.runes.
func (s *scratch) appendCharGrams() {
	const seed = hashing.SeedChar
	runes, out := s.runes, s.hashes
	for ; len(runes) >= maxGram; runes = runes[1:] {
		h := (seed ^ uint64(runes[0])) * hashing.Prime
		h = (h ^ uint64(runes[1])) * hashing.Prime
		h3 := (h ^ uint64(runes[2])) * hashing.Prime
		h4 := (h3 ^ uint64(runes[3])) * hashing.Prime
		h5 := (h4 ^ uint64(runes[4])) * hashing.Prime
		out = append(out, hashing.Mix(h3), hashing.Mix(h4), hashing.Mix(h5))
	}
	for ; len(runes) >= minGram; runes = runes[1:] {
		h := uint64(seed)
		for i, r := range runes {
			h = (h ^ uint64(r)) * hashing.Prime
			if i >= minGram-1 {
				out = append(out, hashing.Mix(h))
			}
		}
	}
	s.hashes = out
}

func hashSign(h uint64) int32 { return 1 - int32(h&1)<<1 }

// countGrams counts the grams in s.hashes: those below index chars are of words, the others
// of characters.
func (s *scratch) countGrams(chars int) {
	for 2*(len(s.entries)+len(s.hashes)) > len(s.table) {
		s.grow()
	}
	table, entries, base := s.table, s.entries, s.base
	mask := uint32(len(table) - 1)
next:
	for n, h := range s.hashes {
		bucket := uint32(h >> (64 - vector.Bits))
		word, char := hashSign(h), int32(0)
		if n >= chars {
			word, char = 0, word
		}
		for slot := bucket & mask; ; slot = (slot + 1) & mask {
			i := table[slot] - base - 1 // large for what is free
			if i >= uint32(len(entries)) {
				entries = append(entries, gramCount{bucket, word, char})
				table[slot] = base + uint32(len(entries))
				continue next
			}
			if e := &entries[i]; e.bucket == bucket {
				e.word += word
				e.char += char
				continue next
			}
		}
	}
	s.entries = entries
}

func (s *scratch) grow() {
	s.table, s.base = make([]uint32, 2*len(s.table)), 0
	mask := uint32(len(s.table) - 1)
	for i := range s.entries {
		slot := s.entries[i].bucket & mask
		for s.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		s.table[slot] = uint32(i + 1)
	}
}

// sublinearTable holds sublinear term frequencies, 1+log(n) with the sign of the count,
// for counts from -maxTabulatedCount to maxTabulatedCount.
var sublinearTable = func() (l [2*maxTabulatedCount + 1]float32) {
	for n := 1; n <= maxTabulatedCount; n++ {
		l[maxTabulatedCount+n] = float32(1 + math.Log(float64(n)))
		l[maxTabulatedCount-n] = -l[maxTabulatedCount+n]
	}
	return l
}()

const maxTabulatedCount = 63

func sublinearTF(n int32) float32 {
	if i := uint32(n + maxTabulatedCount); i < uint32(len(sublinearTable)) {
		return sublinearTable[i]
	}
	return sublinearTFComputed(n)
}

func sublinearTFComputed(n int32) float32 {
	if n < 0 {
		return -sublinearTFComputed(-n)
	}
	return float32(1 + math.Log(float64(n)))
}

// vector turns the counted grams into a vector. Nearly all grams of a text occur once, as a
// word or as characters; their value is computed once. s.repeated lists the others.
func (s *scratch) vector() vector.Vector {
	var words, chars int64 // said once
	var word2, char2 float64
	s.repeated = s.repeated[:0]
	for i := range s.entries {
		e := &s.entries[i]
		if e.countedOnce() {
			words += int64(e.word * e.word)
			chars += int64(e.char * e.char)
			continue
		}
		s.repeated = append(s.repeated, int32(i))
		if e.word != 0 {
			w := float64(sublinearTF(e.word))
			word2 += float64(w * w)
		}
		if e.char != 0 {
			c := float64(sublinearTF(e.char))
			char2 += float64(c * c)
		}
	}
	w := singleGramWeights{inverseNorm(float64(words) + word2), inverseNorm(float64(chars) + char2)}
	var biggest float32
	if words > 0 {
		biggest = w.word
	}
	if chars > 0 {
		biggest = max(biggest, w.char)
	}
	for _, i := range s.repeated {
		v := w.valueOf(&s.entries[i])
		biggest = max(biggest, v, -v)
	}
	if biggest == 0 {
		return vector.Vector{}
	}
	toUnits := vector.MaxUnits / float64(biggest)
	word, char := vector.Round(float64(w.word)*toUnits), vector.Round(float64(w.char)*toUnits)
	units2 := words*int64(word)*int64(word) + chars*int64(char)*int64(char)
	terms, n, done := make([]vector.Term, len(s.entries)), 0, 0
	add := func(e *gramCount, u int32) {
		terms[n] = vector.NewTerm(e.bucket, u)
		if u != 0 {
			n++
		}
	}
	for at := 0; done < len(s.entries); at++ {
		end := len(s.entries)
		if at < len(s.repeated) {
			end = int(s.repeated[at])
		}
		for i := done; i < end; i++ {
			e := &s.entries[i]
			add(e, word*e.word+char*e.char)
		}
		if end < len(s.entries) {
			e := &s.entries[end]
			u := vector.Round(float64(w.valueOf(e)) * toUnits)
			units2 += int64(u) * int64(u)
			add(e, u)
		}
		done = end + 1
	}
	return vector.FromTerms(terms[:n], units2)
}

// countedOnce reports whether the entry counts one gram that occurs once.
func (e *gramCount) countedOnce() bool {
	return int64(e.word)*int64(e.word)+int64(e.char)*int64(e.char) == 1
}

// singleGramWeights are the values of a gram that occurs once.
type singleGramWeights struct{ word, char float32 }

func (w singleGramWeights) valueOf(e *gramCount) float32 {
	return float32(w.word*sublinearTF(e.word)) + float32(w.char*sublinearTF(e.char))
}

func inverseNorm(norm2 float64) float32 {
	if norm2 == 0 {
		return 0
	}
	return float32(1 / math.Sqrt(norm2))
}
