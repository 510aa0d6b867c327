package content

import "crypto/sha256"

// Key names a text by the first half of its SHA-256. What is stored of a text is stored
// under it, so it never changes.
func Key(text string) (k [16]byte) {
	sum := sha256.Sum256([]byte(text))
	copy(k[:], sum[:])
	return k
}
