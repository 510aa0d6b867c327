package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// ChallengeHeader carries the challenge in a GET /health.
const ChallengeHeader = "X-Hone-Challenge"

// Identity lets hone recognise itself: before it registers an address with Label
// Studio, which then sends a token and every annotation there, it asks that
// address to sign a fresh challenge. The key never leaves the data directory.
//
// Somebody who passes the challenge on to the real hone passes the test. He is
// then what a reverse proxy is; only TLS tells the two apart.
type Identity struct{ key []byte }

// NewChallenge is a challenge that was never used before.
func NewChallenge() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Sign answers a challenge; "" when it is none: hone signs nothing but what
// [NewChallenge] makes.
func (i Identity) Sign(challenge string) string {
	if b, err := hex.DecodeString(challenge); err != nil || len(b) != 16 {
		return ""
	}
	mac := hmac.New(sha256.New, i.key)
	mac.Write([]byte("hone challenge\n" + challenge))
	return hex.EncodeToString(mac.Sum(nil))
}

// Verify reports whether an answer to a challenge is this identity's.
func (i Identity) Verify(challenge, answer string) bool {
	want := i.Sign(challenge)
	return want != "" && hmac.Equal([]byte(want), []byte(answer))
}
