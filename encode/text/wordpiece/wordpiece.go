// Package wordpiece is BERT's uncased tokenizer: text to the ids of word pieces,
// the greedy longest match first (Wu et al. 2016, "Google's Neural Machine
// Translation System"; Devlin et al. 2019, "BERT").
//
// It gives what the reference implementation gives, on every character. The names
// of special entries, such as "[CLS]", mean nothing special within a text: text
// comes from outside and has no say in how it is read.
package wordpiece

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"
)

const (
	// Unknown is the piece that stands for a word of which some part is not in the
	// vocabulary. Every vocabulary must have it.
	Unknown = "[UNK]"

	continuationPrefix = "##" // marks a piece that goes on within a word

	// maxPieceBytes bounds the pieces' length in bytes, and with it the time for a word.
	maxPieceBytes = 255
	// maxVocabulary keeps offsets into Tokenizer.texts within 32 bits.
	maxVocabulary = 1 << 24

	seedFirst     = 0x9e3779b97f4a7c15
	seedContinued = 0xd6e8feb86659fd93
	hashPrime     = 0x9fb21c651e98df25
)

// Tokenizer splits texts. It is immutable and safe for concurrent use.
type Tokenizer struct {
	chars   *charTable
	pieces  []string
	unknown int32
	longest int // bytes of the longest piece, without ##
	slots   []hashSlot
	shift   uint
	texts   []byte // the pieces without ##, one after the other
}

// hashSlot is a slot of a hash table with open addressing. It holds where the piece's text
// begins, which saves reading Tokenizer.pieces, whose memory is far away.
type hashSlot struct {
	hash   uint32 // the hash's lower half; the upper one says where to look first
	id     int32  // -1: free
	start  uint32 // of the text in texts
	length uint8
	within bool // begins with ##
}

// New makes a tokenizer. A piece's place is its id; pieces that begin with ## go
// on within a word. It keeps the slice, which must not change afterwards.
func New(pieces []string) (*Tokenizer, error) {
	table, err := loadChars()
	if err != nil {
		return nil, err
	}
	if len(pieces) > maxVocabulary {
		return nil, fmt.Errorf("a vocabulary of %d word pieces; it may have %d", len(pieces), maxVocabulary)
	}
	size := max(bits.Len(uint(len(pieces)))+1, 4)
	t := &Tokenizer{chars: table, pieces: pieces, unknown: -1, slots: make([]hashSlot, 1<<size), shift: uint(64 - size)}
	for i := range t.slots {
		t.slots[i].id = -1
	}
	for i, p := range pieces {
		text, seed := p, uint64(seedFirst)
		if strings.HasPrefix(p, continuationPrefix) && len(p) > len(continuationPrefix) {
			text, seed = p[len(continuationPrefix):], seedContinued
		}
		if text == "" || len(text) > maxPieceBytes || !utf8.ValidString(text) {
			return nil, fmt.Errorf("word piece %d, %q: want 1 to %d bytes of UTF-8", i, p, maxPieceBytes)
		}
		h := seed
		for j := range len(text) {
			h = (h ^ uint64(text[j])) * hashPrime
		}
		within := seed == seedContinued
		at, found := t.findSlot(h, []byte(text), within)
		if found {
			return nil, fmt.Errorf("word piece %d, %q, is in the vocabulary twice", i, p)
		}
		t.slots[at] = hashSlot{uint32(h), int32(i), uint32(len(t.texts)), uint8(len(text)), within}
		t.texts = append(t.texts, text...)
		t.longest = max(t.longest, len(text))
		if p == Unknown {
			t.unknown = int32(i)
		}
	}
	if t.unknown < 0 {
		return nil, fmt.Errorf("the vocabulary of %d word pieces has no %s", len(pieces), Unknown)
	}
	return t, nil
}

// Len is the number of word pieces; ids are below it.
func (t *Tokenizer) Len() int { return len(t.pieces) }

// Piece is the word piece of an id, with its ## if it goes on within a word.
func (t *Tokenizer) Piece(id int32) string { return t.pieces[id] }

// Unknown is the id of [UNK].
func (t *Tokenizer) Unknown() int32 { return t.unknown }

// Append appends the ids of the text's word pieces to dst, limit of them at most,
// without [CLS] or [SEP]. It allocates only to grow dst. Invalid UTF-8 is passed
// over, and no more of the text is read than the limit needs.
func (t *Tokenizer) Append(dst []int32, text string, limit int) []int32 {
	w := wordReader{text: text, chars: t.chars}
	var hashes [maxPieceBytes]uint64
	end := len(dst) + max(limit, 0)
	for len(dst) < end && w.next() {
		if w.count > MaxWord {
			dst = append(dst, t.unknown)
			continue
		}
		dst = t.appendWord(dst, w.buf[:w.n], &hashes)
	}
	return dst[:min(len(dst), end)]
}

// appendWord appends the pieces of a word, or Unknown. hashes is working memory for the
// hashes of the prefixes of what is left of the word.
func (t *Tokenizer) appendWord(dst []int32, word []byte, hashes *[maxPieceBytes]uint64) []int32 {
	start := len(dst)
	seed := uint64(seedFirst)
	for len(word) > 0 {
		n := min(len(word), t.longest)
		h := seed
		for i, c := range word[:n] {
			h = (h ^ uint64(c)) * hashPrime
			hashes[i] = h
		}
		id := int32(-1)
		for ; n > 0; n-- {
			if at, ok := t.findSlot(hashes[n-1], word[:n], seed == seedContinued); ok {
				id = t.slots[at].id
				break
			}
		}
		if id < 0 {
			return append(dst[:start], t.unknown)
		}
		dst = append(dst, id)
		word, seed = word[n:], seedContinued
	}
	return dst
}

// findSlot returns the slot of a piece, or the free slot where it belongs. The text is
// without ##.
func (t *Tokenizer) findSlot(h uint64, text []byte, within bool) (at uint64, found bool) {
	mask := uint64(len(t.slots) - 1)
	for at = h >> t.shift; ; at = (at + 1) & mask {
		s := &t.slots[at]
		if s.id < 0 {
			return at, false
		}
		if s.hash == uint32(h) && s.within == within && string(t.texts[s.start:][:s.length]) == string(text) {
			return at, true
		}
	}
}
