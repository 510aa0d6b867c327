package event

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// Two changes of settings as one do what they do one after the other.
func TestChangesOfSettingsAdd(t *testing.T) {
	keys := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(rt *rapid.T) {
		change := func() *Configured {
			e := &Configured{Project: 1, Set: map[string]string{}}
			for _, k := range keys {
				switch rapid.IntRange(0, 2).Draw(rt, "what") {
				case 0:
					e.Set[k] = rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "value")
				case 1:
					e.Reset = append(e.Reset, k)
				}
			}
			return e
		}
		before := rapid.MapOf(rapid.SampledFrom(keys), rapid.SampledFrom([]string{"1", "2", "3"})).Draw(rt, "before")
		kept := maps.Clone(before)
		first, second := change(), change()
		want := second.Change(first.Change(before))
		if got := first.Then(second).Change(before); !maps.Equal(got, want) {
			rt.Fatalf("%+v then %+v on %v: %v, want %v", first, second, before, got, want)
		}
		if !maps.Equal(before, kept) {
			rt.Fatal("the settings before were changed")
		}
	})
	if ForAll(&Configured{}) {
		t.Error("settings of no project are for all")
	}
}
