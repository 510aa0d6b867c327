package lstest

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/labelstudio"
)

// Two readings of the same rule, written apart, agree.
func TestValidURLIsWhatTheClientThinks(t *testing.T) {
	part := rapid.StringMatching(`[a-zA-Z0-9é-]{0,5}|xn--[a-z0-9]{0,3}|[0-9]{1,3}|[a-z_]{1,3}|[a-z]{62,64}`)
	rapid.Check(t, func(t *rapid.T) {
		host := part.Draw(t, "first")
		for _, p := range rapid.SliceOfN(part, 0, 5).Draw(t, "rest") {
			host += "." + p
		}
		host += rapid.SampledFrom([]string{"", ".", ":80", ":", ":123456"}).Draw(t, "end")
		if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
			host = rapid.StringMatching(`\[[0-9a-f:.]{0,12}\]|\[::[0-9a-f]{1,5}\]|localhost(:9090)?`).Draw(t, "special")
		}
		address := "http://" + rapid.SampledFrom([]string{"", "hone:pass@"}).Draw(t, "user") + host + "/webhook"
		if got, err := validURL(address), labelstudio.CheckHookHost(address); got != (err == nil) {
			t.Fatalf("%s is valid: %v, but the client says %v", address, got, err)
		}
	})
}
