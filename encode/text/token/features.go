package token

import (
	"math"
	"unicode"
	"unicode/utf8"

	"github.com/hone-ml/hone/encode/text/internal/hashing"
	"github.com/hone-ml/hone/vector"
)

const (
	maxAffix = 4  // longest prefix and suffix, in characters
	wordDim  = 64 // of a word's embedding, its first numbers
	maxTerms = 64 // most terms that a token can have, and some room
)

// WordEmbedder is an encoder that has vectors of single words.
type WordEmbedder interface {
	// EmbedWord is the vector of one word, in at most dim numbers.
	EmbedWord(dst []float32, word string, dim int) []float32
}

// Encode gives the features of each token of a text, for models that label
// tokens. Terms are the token as it is and in lower case, its shape, prefixes and
// suffixes of up to 4 characters, kinds of characters, whether white space is around
// it, and of the two tokens on both sides words, shapes, endings and kinds, signed
// and hashed like those of texts. Dense are the word vectors of the token, the one
// before and the one after, nil where there is none, when words is not nil. Behind them
// come the token's vectors in its context: inContext has one a token for each encoder
// that makes such. It is safe for concurrent use.
func Encode(text string, tokens []Token, words WordEmbedder, inContext [][][]float32) []vector.Vector {
	if len(tokens) == 0 {
		return nil
	}
	ws := make([]wordFeatures, len(tokens))
	for i, t := range tokens {
		ws[i].analyze(text[t.Start:t.End])
		ws[i].noSpaceBefore = i > 0 && tokens[i-1].End == t.Start
	}
	if words != nil {
		embedAll(words, text, tokens, ws)
	}
	b := termBuilder{all: make([]vector.Term, 0, 48*len(ws))}
	out := make([]vector.Vector, len(ws))
	parts := make([][]float32, 0, (ContextPart+len(inContext))*len(ws))
	for i := range ws {
		out[i] = b.buildToken(ws, i)
		if words == nil && len(inContext) == 0 {
			continue
		}
		at := len(parts)
		parts = append(parts, ws[i].dense, wordAt(ws, i-1).dense, wordAt(ws, i+1).dense)
		for _, xs := range inContext {
			parts = append(parts, xs[i])
		}
		out[i].Dense = parts[at:len(parts):len(parts)]
	}
	return out
}

// ContextPart is the index of the dense part that holds a token's contextual vector, the
// first of them where several encoders make one.
const ContextPart = 3

// PartWeights are weights of the parts of those vectors, good on tweets and
// news from 100 to 1,000 texts; accuracy is flat around them. A part beyond them, of a
// second encoder of tokens in context, weighs 1 as the first does.
func PartWeights() []float64 { return []float64{1, 0.5, 0.1, 0.1, 1} }

// embedAll sets the vector of each word. Equal words share memory.
func embedAll(e WordEmbedder, text string, tokens []Token, ws []wordFeatures) {
	known := make(map[string][]float32, len(ws))
	memory := make([]float32, 0, wordDim*len(ws))
	for i, t := range tokens {
		s := text[t.Start:t.End]
		v, ok := known[s]
		if !ok {
			at := len(memory)
			if v = e.EmbedWord(memory[at:], s, wordDim); len(v) == 0 {
				v = nil
			}
			memory = memory[:at+len(v)]
			v = v[:len(v):len(v)]
			known[s] = v
		}
		ws[i].dense = v
	}
}

// wordFeatures holds the features of one token alone. They are computed once, for the token
// and for its neighbours.
type wordFeatures struct {
	exact, lower     uint64
	shape, fullShape uint64 // with and without runs of equal kinds made one
	prefix, suffix   [maxAffix]uint64
	affixes          int // how many of each there are
	kinds            uint64
	noSpaceBefore    bool // no white space before it
	dense            []float32
}

// boundaryWord stands for the word before the first token and after the last.
var boundaryWord = wordFeatures{exact: 1, lower: 1, shape: 1, fullShape: 1, kinds: 1 << 20}

func wordAt(ws []wordFeatures, i int) *wordFeatures {
	if i < 0 || i >= len(ws) {
		return &boundaryWord
	}
	return &ws[i]
}

// Kinds of characters.
const (
	hasUpper = 1 << iota
	hasLower
	hasDigit
	hasOther
	hasWide // letters of a script without cases
	beginsUpper
	upperWithin
)

// analyze fills w from a token's text.
func (w *wordFeatures) analyze(s string) {
	const seedShape, seedExact = hashing.SeedChar, hashing.SeedWord
	exact, lower, shape, long := uint64(seedExact), uint64(hashing.SeedWord), uint64(seedShape), uint64(seedShape)
	var tail [maxAffix]rune // the last characters, in a ring
	var last rune
	n := 0
	for _, r := range s {
		exact = (exact ^ uint64(r)) * hashing.Prime
		l, kind := r, rune('o')
		switch {
		case 'a' <= r && r <= 'z':
			w.kinds |= hasLower
			kind = 'x'
		case 'A' <= r && r <= 'Z':
			l, kind = r+'a'-'A', 'X'
		case '0' <= r && r <= '9':
			w.kinds |= hasDigit
			kind = 'd'
		case r < utf8.RuneSelf:
			w.kinds |= hasOther
			kind = r
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			l, kind = unicode.ToLower(r), 'X'
		case unicode.IsLower(r):
			w.kinds |= hasLower
			kind = 'x'
		case unicode.IsLetter(r):
			w.kinds |= hasWide
			kind = 'w'
		case unicode.IsMark(r):
			kind = last // belongs to the letter before it
		case unicode.IsNumber(r):
			w.kinds |= hasDigit
			kind = 'd'
		default:
			w.kinds |= hasOther
		}
		if kind == 'X' {
			w.kinds |= hasUpper
			if n == 0 {
				w.kinds |= beginsUpper
			} else {
				w.kinds |= upperWithin
			}
		}
		lower = (lower ^ uint64(l)) * hashing.Prime
		long = (long ^ uint64(kind)) * hashing.Prime
		if kind != last {
			shape = (shape ^ uint64(kind)) * hashing.Prime
		}
		if n < maxAffix {
			w.prefix[n] = hashing.Mix(lower)
		}
		tail[n%maxAffix] = l
		last = kind
		n++
	}
	w.exact, w.lower, w.shape, w.fullShape = hashing.Mix(exact), hashing.Mix(lower), hashing.Mix(shape), hashing.Mix(long)
	w.affixes = min(n, maxAffix)
	h := uint64(hashing.SeedChar)
	for i := range w.affixes {
		h = (h ^ uint64(tail[(n-1-i)%maxAffix])) * hashing.Prime
		w.suffix[i] = hashing.Mix(h)
	}
}

// suffixUpTo returns the hash of the suffix of up to n characters.
func (w *wordFeatures) suffixUpTo(n int) uint64 {
	if w.affixes == 0 {
		return w.lower
	}
	return w.suffix[min(n, w.affixes)-1]
}

// termBuilder builds the terms of tokens. The terms of all tokens of a text lie in one
// piece of memory.
type termBuilder struct {
	all     []vector.Term
	slots   [256]tokenSlot // by bucket, open addressing
	current uint32         // number of the token under way
	used    [maxTerms]uint8
	n       int
}

type tokenSlot struct {
	bucket, token uint32
	value         int32
}

// addFeature counts the feature that has the value what at a place.
func (b *termBuilder) addFeature(place, what uint64) {
	h := hashing.Mix((what + place*hashing.SeedPair) * hashing.Prime)
	bucket := uint32(h >> (64 - vector.Bits))
	at := uint8(bucket)
	for b.slots[at].token == b.current && b.slots[at].bucket != bucket {
		at++
	}
	s := &b.slots[at]
	if s.token != b.current {
		*s = tokenSlot{bucket: bucket, token: b.current}
		b.used[b.n] = at
		b.n++
	}
	s.value += int32(1) - int32(h&1)<<1
}

// Places tell features of equal value apart. Those of neighbours follow, by distance.
const (
	placeExact = iota + 1
	placeLower
	placeShape
	placeLong
	placeKinds
	placeSpace
	placePrefix
	placeSuffix    = placePrefix + maxAffix
	placePairs     = placeSuffix + maxAffix
	placeNeighbour = placePairs + 8
	perNeighbour   = 8
)

func (b *termBuilder) buildToken(ws []wordFeatures, i int) vector.Vector {
	b.current++
	b.n = 0
	w, before, after := &ws[i], wordAt(ws, i-1), wordAt(ws, i+1)
	b.addFeature(placeExact, w.exact)
	b.addFeature(placeLower, w.lower)
	b.addFeature(placeShape, w.shape)
	b.addFeature(placeLong, w.fullShape)
	b.addFeature(placeKinds, w.kinds)
	space := uint64(0)
	if w.noSpaceBefore {
		space = 1
	}
	if after.noSpaceBefore {
		space |= 2
	}
	b.addFeature(placeSpace, space)
	for k := range w.affixes {
		b.addFeature(placePrefix+uint64(k), w.prefix[k])
		b.addFeature(placeSuffix+uint64(k), w.suffix[k])
	}
	b.addFeature(placePairs, before.lower*hashing.Prime^w.lower)
	b.addFeature(placePairs+1, w.lower*hashing.Prime^after.lower)
	b.addFeature(placePairs+2, (before.shape*hashing.Prime^w.shape)*hashing.Prime^after.shape)
	for d := range 4 {
		n := wordAt(ws, i+[4]int{-2, -1, 1, 2}[d])
		place := uint64(placeNeighbour + d*perNeighbour)
		b.addFeature(place, n.lower)
		b.addFeature(place+1, n.shape)
		if d == 1 || d == 2 {
			b.addFeature(place+2, n.suffixUpTo(2))
			b.addFeature(place+3, n.suffixUpTo(3))
			b.addFeature(place+4, n.kinds)
		}
	}
	return b.buildVector()
}

func (b *termBuilder) buildVector() vector.Vector {
	from := len(b.all)
	squares := int32(0)
	for _, at := range b.used[:b.n] {
		s := b.slots[at]
		if s.value != 0 {
			b.all = append(b.all, vector.NewTerm(s.bucket, s.value))
			squares += s.value * s.value
		}
	}
	scale := float32(1 / math.Sqrt(float64(max(squares, 1))))
	return vector.Vector{
		Terms: b.all[from:len(b.all):len(b.all)], Scale: scale,
		Norm2: float32(float64(squares) * float64(scale) * float64(scale)),
	}
}
