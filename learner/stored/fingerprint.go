package stored

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/vector"
)

// Fingerprint hashes everything on which an example depends. The features are a function of
// the data, except for the parts that have not arrived.
func Fingerprint(shares []model.Share, x vector.Vector, data []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	var b [8]byte
	_, _ = d.Write(presence(b[:0], x))
	for _, s := range shares {
		bits := math.Float32bits(s.P)
		for i := range 4 {
			b[i], b[4+i] = byte(s.Class>>(8*i)), byte(bits>>(8*i))
		}
		_, _ = d.Write(b[:])
	}
	_, _ = d.Write(data)
	return d.Sum64()
}

// presence appends to b which parts a vector has, unambiguously. Stored selections were
// fingerprinted with the short form, so it must not change.
func presence(b []byte, x vector.Vector) []byte {
	parts, tokens := x.Parts(), x.TokenParts()
	bit := func(has bool) {
		if has {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	if parts < 8 && tokens <= token.ContextPart+1 {
		for i := range 7 {
			bit(i < parts && x.HasPart(i))
		}
		bit(x.HasTokenPart(token.ContextPart))
		return b
	}
	const long = 2 // no short form begins with it
	b = append(b, long)
	b = binary.AppendUvarint(b, uint64(parts))
	for i := range parts {
		bit(x.HasPart(i))
	}
	b = binary.AppendUvarint(b, uint64(tokens))
	for i := range tokens {
		bit(x.HasTokenPart(i))
	}
	return b
}
