package feature

import (
	"math"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
)

// MaxText is how much of a text is read, in bytes. What follows is ignored: it
// bounds what one foreign task can cost.
const MaxText = 256 << 10

const (
	minGram = 3
	maxGram = 5

	seedWord = 0x9e3779b97f4a7c15
	seedPair = 0xd6e8feb86659fd93
	seedChar = 0xa0761d6478bd642f
	prime    = 0x9fb21c651e98df25

	// edge stands for both ends of a word in character n-grams; no text holds it.
	edge = unicode.MaxRune + 1
)

// Hashed encodes a text as word 1- and 2-grams and character 3- to 5-grams
// within words, lower-cased, in one hashed space with random signs (Weinberger
// et al. 2009, "Feature hashing for large scale multitask learning"). Each
// group has values 1+log(tf), length 1, and half the say. It needs no
// dictionary and knows no language: words are those of Unicode's annex 29.
type Hashed struct {
	words bool // no character n-grams
	pool  sync.Pool
}

// NewHashed makes the encoder. It is safe for concurrent use.
func NewHashed() *Hashed {
	return &Hashed{pool: sync.Pool{New: func() any { return newScratch() }}}
}

// NewHashedWords makes an encoder of word 1- and 2-grams alone. It is several times
// as fast, and knows nothing of words it has not seen.
func NewHashedWords() *Hashed {
	h := NewHashed()
	h.words = true
	return h
}

// Name implements Encoder. The number goes up whenever vectors change.
func (h *Hashed) Name() string {
	if h.words {
		return "words/1"
	}
	return "hashed/1"
}

// Encode implements Encoder. Invalid UTF-8 counts as the replacement character.
func (h *Hashed) Encode(text string) Vector {
	s := h.pool.Get().(*scratch)
	defer h.pool.Put(s)
	s.reset()
	s.read(cut(text), !h.words)
	return s.vector()
}

// cut ends the text at MaxText, not within a character.
func cut(text string) string {
	if len(text) <= MaxText {
		return text
	}
	end := MaxText
	for end > MaxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// scratch is the working memory of one Encode. Grams are counted in entries, in
// order of first sight, which table finds by open addressing: it holds the entry's
// number after base. Numbers of earlier texts are at most base, so nothing has to be
// cleared between texts.
type scratch struct {
	table   []uint32
	base    uint32
	entries []entry
	runes   []rune
}

type entry struct {
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

func (s *scratch) read(text string, chars bool) {
	var last uint64 // hash of the word before, 0 at the start
	it := words.FromString(text)
	for it.Next() {
		word := it.Value()
		letters := s.lower(word)
		if len(s.runes) == 2 {
			continue // white space
		}
		h := uint64(seedWord)
		for _, r := range s.runes[1 : len(s.runes)-1] {
			h = (h ^ uint64(r)) * prime
		}
		h = mix(h)
		s.at(h).word += sign(h)
		if last != 0 {
			pair := mix(last*seedPair ^ h)
			s.at(pair).word += sign(pair)
		}
		last = h | 1
		if letters && chars {
			s.grams()
		}
	}
}

// lower fills s.runes with the word in lower case between two edges, without
// white space and format characters, and reports whether it holds a letter or a
// digit.
func (s *scratch) lower(word string) (letters bool) {
	s.runes = append(s.runes[:0], edge)
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
	s.runes = append(s.runes, edge)
	return letters
}

// grams counts the character n-grams of the word in s.runes.
func (s *scratch) grams() {
	for i := range s.runes {
		h := uint64(seedChar)
		end := min(i+maxGram, len(s.runes))
		for j := i; j < end; j++ {
			h = (h ^ uint64(s.runes[j])) * prime
			if j-i >= minGram-1 {
				g := mix(h)
				s.at(g).char += sign(g)
			}
		}
	}
}

// mix spreads every bit of h over the whole (the finisher of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xff51afd7ed558ccd
	h ^= h >> 29
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>32
}

func sign(h uint64) int32 { return 1 - int32(h&1)<<1 }

// at is the entry of a gram's bucket, a new one if there is none. It is valid until
// the next call.
func (s *scratch) at(h uint64) *entry {
	bucket := uint32(h >> (64 - Bits))
	mask := uint32(len(s.table) - 1)
	slot := bucket & mask
	for {
		i := s.table[slot] - s.base - 1 // large for what is free
		if i >= uint32(len(s.entries)) {
			break
		}
		if e := &s.entries[i]; e.bucket == bucket {
			return e
		}
		slot = (slot + 1) & mask
	}
	s.entries = append(s.entries, entry{bucket: bucket})
	s.table[slot] = s.base + uint32(len(s.entries))
	if len(s.entries)*2 > len(s.table) {
		s.grow()
	}
	return &s.entries[len(s.entries)-1]
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

// logs are the damped counts from -mostLogs to mostLogs: a word said twice is not
// twice as telling.
var logs = func() (l [2*mostLogs + 1]float32) {
	for n := 1; n <= mostLogs; n++ {
		l[mostLogs+n] = float32(1 + math.Log(float64(n)))
		l[mostLogs-n] = -l[mostLogs+n]
	}
	return l
}()

const mostLogs = 63

func damped(n int32) float32 {
	if i := uint32(n + mostLogs); i < uint32(len(logs)) {
		return logs[i]
	}
	return dampedMany(n)
}

func dampedMany(n int32) float32 {
	if n < 0 {
		return -dampedMany(-n)
	}
	return float32(1 + math.Log(float64(n)))
}

func (s *scratch) vector() Vector {
	var word2, char2 float64
	for i := range s.entries {
		e := &s.entries[i]
		if e.word != 0 {
			w := float64(damped(e.word))
			word2 += float64(w * w)
		}
		if e.char != 0 {
			c := float64(damped(e.char))
			char2 += float64(c * c)
		}
	}
	return packed(s.entries, weights{inverse(word2), inverse(char2)})
}

// weights are what a gram said once is worth.
type weights struct{ word, char float32 }

func (w weights) of(e *entry) float32 {
	return float32(w.word*damped(e.word)) + float32(w.char*damped(e.char))
}

// packed is quantize for counted grams. Nearly all grams of a text are said once, so
// what those come to is computed once.
func packed(entries []entry, w weights) Vector {
	const (
		neither = iota // more than one gram
		oneWord
		oneChar
	)
	kind := func(e *entry) int {
		switch {
		case e.word == 0 && uint32(e.char+1)&^2 == 0:
			return oneChar
		case e.char == 0 && uint32(e.word+1)&^2 == 0:
			return oneWord
		}
		return neither
	}
	var biggest float32
	var seen [3]bool
	for i := range entries {
		e := &entries[i]
		k := kind(e)
		seen[k] = true
		if k == neither {
			biggest = max(biggest, w.of(e), -w.of(e))
		}
	}
	if seen[oneWord] {
		biggest = max(biggest, w.word)
	}
	if seen[oneChar] {
		biggest = max(biggest, w.char)
	}
	if biggest == 0 {
		return Vector{}
	}
	toUnits := valueMax / float64(biggest)
	word, char := round(float64(w.word)*toUnits), round(float64(w.char)*toUnits)
	terms := make([]Term, 0, len(entries))
	var units2 int64
	for i := range entries {
		e := &entries[i]
		var u int32
		switch kind(e) {
		case oneWord:
			u = word * e.word
		case oneChar:
			u = char * e.char
		default:
			u = round(float64(w.of(e)) * toUnits)
		}
		if u == 0 {
			continue
		}
		units2 += int64(u) * int64(u)
		terms = append(terms, pack(e.bucket, u))
	}
	return scaled(terms, units2)
}

func inverse(norm2 float64) float32 {
	if norm2 == 0 {
		return 0
	}
	return float32(1 / math.Sqrt(norm2))
}
