// Package spantest makes texts with marked spans for tests.
package spantest

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// Config is a label config with two labels of spans, PER and LOC.
const Config = `<View><Labels name="ner" toName="t"><Label value="PER"/><Label value="LOC"/></Labels><Text name="t" value="$text"/></View>`

// Parse returns the first control of a config, and its objects.
func Parse(t testing.TB, config string) (labelconfig.Control, []labelconfig.Object) {
	t.Helper()
	cfg, err := labelconfig.Parse(config)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Controls[0], cfg.Objects
}

// Data is that of a task with a text.
func Data(text string) json.RawMessage {
	b, _ := json.Marshal(map[string]string{"text": text}) // strings always can be written
	return b
}

// Mark reads a text with its spans written [LABEL so], and returns the task's data and
// the spans as regions of the control in the object.
func Mark(t testing.TB, c labelconfig.Control, o labelconfig.Object, marked string) (json.RawMessage, []regions.Region) {
	t.Helper()
	var text strings.Builder
	var spans []regions.Span
	for marked != "" {
		before, rest, ok := strings.Cut(marked, "[")
		text.WriteString(before)
		if !ok {
			break
		}
		span, after, closed := strings.Cut(rest, "]")
		label, words, labelled := strings.Cut(span, " ")
		if !closed || !labelled {
			t.Fatalf("no span: [%s", rest)
		}
		from := text.Len()
		text.WriteString(words)
		spans = append(spans, regions.Span{Start: from, End: text.Len(), Labels: []string{label}})
		marked = after
	}
	data := Data(text.String())
	p, err := content.Passage(o, data)
	if err != nil {
		t.Fatal(err)
	}
	return data, append([]regions.Region{}, regions.EncodeSpans(c, "r", p, spans)...)
}

// Sentence is one of many, marked, that are easy to learn.
func Sentence(rng *rand.Rand) string {
	people, places := []string{"Ada", "Bob Marley", "Zoë", "José Garcia"}, []string{"Rome", "東京", "New York", "Paris"}
	switch rng.IntN(4) {
	case 0:
		return "yesterday [PER " + people[rng.IntN(4)] + "] went to [LOC " + places[rng.IntN(4)] + "] again"
	case 1:
		return "Mr. [PER " + people[rng.IntN(4)] + "] said nothing"
	case 2:
		return "in [LOC " + places[rng.IntN(4)] + "] it rains"
	}
	return "nothing happened at all"
}
