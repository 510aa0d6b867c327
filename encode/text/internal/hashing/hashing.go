// Package hashing holds what the encoders of texts hash with: seeds, a prime to multiply
// by, and a finisher. Vectors depend on every number of it.
package hashing

// Seeds of what is hashed, and the factor from one character to the next.
const (
	SeedWord = 0x9e3779b97f4a7c15
	SeedPair = 0xd6e8feb86659fd93
	SeedChar = 0xa0761d6478bd642f
	Prime    = 0x9fb21c651e98df25
)

// Mix spreads every bit of h over the whole (the finisher of MurmurHash3).
func Mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xff51afd7ed558ccd
	h ^= h >> 29
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>32
}
