package encode

import "slices"

// Part is the kind of a dense part of a vector. A model weighs parts by their kind until its
// examples say more.
type Part int

const (
	// Words is made of vectors of single words, such as their mean.
	Words Part = iota
	// Middle is of the middle layers of a network, which know what kind of sentence a text is.
	Middle
	// Sentence is of a network that was trained for the meaning of texts, such as its last layer.
	Sentence
	// Adapted is of a network that was trained further, on a project's labels.
	Adapted
)

// PartsEncoder is a BatchEncoder whose vectors of texts have several parts, such as those of
// several layers of a network, which come out of one computation.
type PartsEncoder interface {
	BatchEncoder
	// Parts are their kinds, in the order of the parts. All are of equal length and stand one
	// after the other in each vector of EncodeBatch.
	Parts() []Part
}

// PartsOf returns the kinds of the parts of an encoder's vectors of texts: Sentence, unless it is a
// PartsEncoder. The caller must not change them.
func PartsOf(e BatchEncoder) []Part {
	if p, ok := e.(PartsEncoder); ok {
		return p.Parts()
	}
	return onlySentence
}

var onlySentence = []Part{Sentence}

// DenseParts returns the kinds of the dense parts of an encoder's vectors, in their order. An
// encoder that does not say them, by a method Parts, has parts of the kind Words.
func DenseParts(e Encoder) []Part {
	if p, ok := e.(interface{ Parts() []Part }); ok {
		return p.Parts()
	}
	return slices.Repeat([]Part{Words}, len(e.Encode("label").Dense))
}
