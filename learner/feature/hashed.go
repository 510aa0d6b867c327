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
	pool sync.Pool
}

// NewHashed makes the encoder. It is safe for concurrent use.
func NewHashed() *Hashed {
	return &Hashed{pool: sync.Pool{New: func() any { return newScratch() }}}
}

// Name implements Encoder. The number goes up whenever vectors change.
func (h *Hashed) Name() string { return "hashed/1" }

// Encode implements Encoder. Invalid UTF-8 counts as the replacement character.
func (h *Hashed) Encode(text string) Vector {
	s := h.pool.Get().(*scratch)
	defer h.pool.Put(s)
	s.reset()
	s.read(cut(text))
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

// scratch is the working memory of one Encode. The table counts grams per
// bucket by open addressing; generation marks which slots are of this text, so
// that nothing has to be cleared between texts.
type scratch struct {
	table      []slot
	generation uint32
	used       []uint32 // slots of this text in order of first sight
	runes      []rune

	buckets []uint32
	values  []float32
}

type slot struct {
	bucket     uint32
	generation uint32
	word, char int32 // signed counts
}

func newScratch() *scratch { return &scratch{table: make([]slot, 1<<11)} }

func (s *scratch) reset() {
	s.used = s.used[:0]
	s.generation++
	if s.generation == 0 {
		clear(s.table)
		s.generation = 1
	}
}

func (s *scratch) read(text string) {
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
		s.count(h, true)
		if last != 0 {
			s.count(mix(last*seedPair^h), true)
		}
		last = h | 1
		if letters {
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
				s.count(mix(h), false)
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

func (s *scratch) count(h uint64, word bool) {
	bucket := uint32(h >> (64 - Bits))
	sign := int32(1) - int32(h&1)<<1
	at := s.find(bucket)
	e := &s.table[at]
	if e.generation != s.generation {
		*e = slot{bucket: bucket, generation: s.generation}
		s.used = append(s.used, at)
	}
	if word {
		e.word += sign
	} else {
		e.char += sign
	}
	if len(s.used)*2 > len(s.table) {
		s.grow()
	}
}

// find returns the slot of a bucket, or the free one where it belongs.
func (s *scratch) find(bucket uint32) uint32 {
	mask := uint32(len(s.table) - 1)
	at := bucket & mask
	for s.table[at].generation == s.generation && s.table[at].bucket != bucket {
		at = (at + 1) & mask
	}
	return at
}

func (s *scratch) grow() {
	old, used := s.table, s.used
	s.table = make([]slot, 2*len(old))
	s.used = make([]uint32, 0, len(s.table)/2+1)
	for _, at := range used {
		to := s.find(old[at].bucket)
		s.table[to] = old[at]
		s.used = append(s.used, to)
	}
}

// logs are the damped counts: a word said twice is not twice as telling.
var logs = func() (l [64]float32) {
	for n := 1; n < len(l); n++ {
		l[n] = float32(1 + math.Log(float64(n)))
	}
	return l
}()

func damped(n int32) float32 {
	switch {
	case n < 0:
		return -damped(-n)
	case int(n) < len(logs):
		return logs[n]
	default:
		return float32(1 + math.Log(float64(n)))
	}
}

func (s *scratch) vector() Vector {
	var word2, char2 float64
	for _, at := range s.used {
		w, c := float64(damped(s.table[at].word)), float64(damped(s.table[at].char))
		word2 += w * w
		char2 += c * c
	}
	word, char := inverse(word2), inverse(char2)
	s.buckets, s.values = s.buckets[:0], s.values[:0]
	for _, at := range s.used {
		e := &s.table[at]
		s.buckets = append(s.buckets, e.bucket)
		s.values = append(s.values, word*damped(e.word)+char*damped(e.char))
	}
	return quantize(s.buckets, s.values)
}

func inverse(norm2 float64) float32 {
	if norm2 == 0 {
		return 0
	}
	return float32(1 / math.Sqrt(norm2))
}
