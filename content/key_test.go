package content_test

import (
	"encoding/hex"
	"testing"

	"github.com/hone-ml/hone/content"
)

// The keys are on disk: with another one every text is encoded again.
func TestGoldenKey(t *testing.T) {
	for text, want := range map[string]string{
		"":     "e3b0c44298fc1c149afbf4c8996fb924",
		"abc":  "ba7816bf8f01cfea414140de5dae2223",
		"Zoë ": "d73dde5602271877b43e0ccd7c4cb7c0",
	} {
		k := content.Key(text)
		if got := hex.EncodeToString(k[:]); got != want {
			t.Errorf("key of %q is %s, want %s", text, got, want)
		}
	}
}
