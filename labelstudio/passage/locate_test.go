package passage

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Whatever Label Studio can show is found again where it was; what it cannot show is
// not placed.
func TestPlacesAreFoundAgain(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "b c", "é", "e\u0301", "東京", "😀", "👩‍💻", "\n", "\r\n", " ", "\u00a0", "&amp;", "<br>", "<p>x", "</p>", "<b>", "</b>", "<!-- - -->", "<script>s</script>", "\xff"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(piece).Draw(t, "text"), "")
		valid := strings.ToValidUTF8(text, "\uFFFD")
		for name, p := range map[string]Passage{
			"text": FromText("o", valid), "page": FromHTML("o", valid), "paragraphs": FromParagraphs("o", strings.Split(text, "b")),
		} {
			if p.Object != "o" || !utf8.ValidString(p.Text) {
				t.Fatalf("%s: %+v", name, p)
			}
			start := rapid.IntRange(-1, len(p.Text)+1).Draw(t, "start")
			end := rapid.IntRange(-1, len(p.Text)+1).Draw(t, "end")
			value, from, to, ok := p.Locator().Place(start, end)
			if !ok {
				if name == "text" && 0 <= start && start < end && end <= len(p.Text) && p.holds(start) && p.holds(end) {
					t.Fatalf("%d to %d of %q has no place", start, end, p.Text)
				}
				continue
			}
			if n := utf8.RuneCountInString(p.Text[:start]); n != from || utf8.RuneCountInString(p.Text[:end]) != to {
				t.Fatalf("%s: from %d to %d, after %d code points", name, from, to, n)
			}
			b, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			a, z, err := p.Locator().Find(b)
			if err != nil || a >= z || strings.Trim(p.Text[a:z], "\n") != strings.Trim(p.Text[start:end], "\n") || a < start || z > end {
				t.Fatalf("%s: %d to %d of %q is %s, found from %d to %d, %v", name, start, end, p.Text, b, a, z, err)
			}
		}
	})
}

func TestFindRefusesWhatIsNotInTheText(t *testing.T) {
	text, page, talk := FromText("o", "a 東京"), FromHTML("o", "<p>a</p>"), FromParagraphs("o", []string{"a", "b"})
	for _, tc := range []struct {
		p     *Passage
		value string
	}{
		{&text, `{}`},
		{&text, `[]`},
		{&text, `{"start":0,"end":5}`},
		{&text, `{"start":1,"end":1}`},
		{&text, `{"start":-1,"end":2}`},
		{&text, `{"start":"x","end":2}`},
		{&text, `{`},
		{&page, `{"start":0,"end":1}`},
		{&page, `{"start":"/p[2]/text()[1]","end":"/p[2]/text()[1]","startOffset":0,"endOffset":1}`},
		{&talk, `{"start":"2","end":"2","startOffset":0,"endOffset":1}`},
		{&talk, `{"start":"0","end":"0","startOffset":0,"endOffset":2}`},
	} {
		if from, to, err := tc.p.Locator().Find([]byte(tc.value)); err == nil {
			t.Errorf("%s is found from %d to %d", tc.value, from, to)
		}
	}
}
