package settings_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/settings"
)

func parseDescriptions(t testing.TB, text string) settings.Descriptions {
	t.Helper()
	d, err := settings.ParseDescriptions([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLinesOfLabels(t *testing.T) {
	d := parseDescriptions(t, `{"Money": ["cash,  bank ", "", "cash, bank"], "Food": "what can I eat", "None": [], "topic": {"Food": ["dinner"]}}`)
	for _, c := range []struct {
		control, label string
		want           []string
	}{
		{"topic", "Money", []string{"cash, bank"}},
		{"topic", "Food", []string{"dinner"}},
		{"other", "Food", []string{"what can I eat"}},
		{"topic", "None", nil},
		{"topic", "Fun", nil},
	} {
		if got := d.Lines(c.control, c.label); !slices.Equal(got, c.want) {
			t.Errorf("%s/%s: %q, want %q", c.control, c.label, got, c.want)
		}
	}
	if want := `{"Food":["what can I eat"],"Money":["cash, bank"],"topic":{"Food":["dinner"]}}`; d.String() != want {
		t.Errorf("written %s, want %s", d, want)
	}
	if got := d.Unknown(map[string][]string{"topic": {"Money"}}); !slices.Equal(got, []string{"Food", "topic/Food"}) {
		t.Errorf("unknown %q", got)
	}
	if got := d.Unknown(map[string][]string{"topic": {"Food"}, "other": {"Money"}}); len(got) != 0 {
		t.Errorf("unknown %q", got)
	}
	renamed := d.Renamed(map[string]map[string]string{"topic": {"Money": "A1", "Food": "A2", "Fun": "A3"}})
	if want := `{"topic":{"A1":["cash, bank"],"A2":["dinner"]}}`; renamed.String() != want {
		t.Errorf("renamed %s, want %s", renamed, want)
	}
	if none := parseDescriptions(t, `{"Money": [" "]}`); none.String() != "" || !none.Same(settings.Descriptions{}) {
		t.Errorf("nothing is written as %s", none)
	}
}

func TestDescriptionsThatAreRefused(t *testing.T) {
	many := map[string][]string{}
	for i := range 2001 {
		many[fmt.Sprint("label ", i)] = []string{"x"}
	}
	tooMany, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		``:                      "not a JSON object",
		`[]`:                    "not a JSON object",
		`{"a": 3}`:              `the lines of label "a" are no list of texts`,
		`{"a": [3]}`:            `the lines of label "a" are no list of texts`,
		`{"c": {"a": {}}}`:      `the lines of label "a" are no list of texts`,
		`{"a": ["x"], "a": []}`: `"a" is there twice`,
		`{"": ["x"]}`:           "a label has no name",
		`{"": {"a": ["x"]}}`:    "a control has no name",
		`{"a": ["x"]`:           "not JSON",
		`{"a": ["x"]} {}`:       "something follows",
		"{\"a\": [\"\xff\"]}":   "UTF-8",
		`{"a": ["` + strings.Repeat("x", 501) + `"]}`:            "more than 500 characters",
		`{"a": ["1","2","3","4","5","6","7","8","9","10","11"]}`: "11 lines",
		`{"` + strings.Repeat("x", 1001) + `": ["x"]}`:           "longer than 1000 characters",
		string(tooMany): "2001 labels",
		`{"a": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 9):   "not JSON",
		`{"a": ` + strings.Repeat(`{"a":`, 20000) + `1`:                  "not JSON",
		`{"a": ["x"], "c": {"a": ["y"]}, "b": null, "d": {"a": ["y"],}}`: "not JSON",
	} {
		if _, err := settings.ParseDescriptions([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// What is written is read as the same, whatever it was.
func TestDescriptionsAreReadAsWritten(t *testing.T) {
	lines := rapid.SliceOfN(rapid.StringMatching(`[a-z<>&"\\ é]{0,12}`), 0, 4)
	label := rapid.StringMatching(`[a-zA-Z/:"<]{1,6}`)
	rapid.Check(t, func(t *rapid.T) {
		all := map[string]any{}
		for l, of := range rapid.MapOfN(label, lines, 0, 5).Draw(t, "labels") {
			all[l] = of
		}
		for c, of := range rapid.MapOfN(label, rapid.MapOfN(label, lines, 0, 3), 0, 2).Draw(t, "controls") {
			all[c] = of
		}
		b, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		d, err := settings.ParseDescriptions(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if d.String() == "" {
			return
		}
		again, err := settings.ParseDescriptions([]byte(d.String()))
		if err != nil || !again.Same(d) {
			t.Fatalf("%s is read as %s: %v", d, again, err)
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if of, ok := all[name].(map[string][]string); ok {
				for l := range of {
					if !slices.Equal(d.Lines(name, l), again.Lines(name, l)) {
						t.Fatalf("%s/%s: %q and %q", name, l, d.Lines(name, l), again.Lines(name, l))
					}
				}
			}
		}
	})
}

func FuzzDescriptions(f *testing.F) {
	for _, s := range []string{`{"a": ["x"]}`, `{"c": {"a": "x"}}`, `{"a": null}`, `{`, `{"a": ["\ud800"]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := settings.ParseDescriptions(text)
		if err != nil || d.String() == "" {
			return
		}
		if again, err := settings.ParseDescriptions([]byte(d.String())); err != nil || !again.Same(d) {
			t.Fatalf("%q is read as %q: %v", d, again, err)
		}
	})
}
