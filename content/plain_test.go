package content

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// The short ways to a text end where the long ones do.
func TestShortWaysToATextAreTheLongOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := []byte(rapid.StringOf(rapid.SampledFrom([]rune("aé😀 \"\\u00e9\n\t\x7f"))).Draw(t, "string"))
		if rapid.Bool().Draw(t, "broken") {
			raw = append(raw, 0xff)
		}
		raw = append(append([]byte{'"'}, raw...), '"')
		if got, ok := plain(raw); ok {
			var want string
			if err := json.Unmarshal(raw, &want); err != nil || got != want {
				t.Fatalf("%q is plainly %q, want %q, %v", raw, got, want, err)
			}
		}
		value := rapid.StringOf(rapid.SampledFrom([]rune("$aZ_9[].{} é-"))).Draw(t, "value")
		loc := fieldPattern.FindStringIndex(value)
		if want := loc != nil && loc[0] == 0 && loc[1] == len(value); isField(value) != want {
			t.Fatalf("%q is a field: %v, want %v", value, !want, want)
		}
	})
}
