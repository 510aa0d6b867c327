package span

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head/span/spantest"
)

// propagated is what comes back for a text in which spans are drawn, as LABEL start-end
// in code points.
func propagated(t testing.TB, c *Scheme, m *Tagger, marked string) string {
	t.Helper()
	data, drawn := spantest.Mark(t, c.Control, c.Objects[0], marked)
	got, _ := NewPredictor(c, m.View()).Propagate("id", data, tokens(c, data), drawn, new(Scratch))
	var out []string
	for _, r := range got {
		var v struct {
			Start, End int
			Labels     []string
		}
		require.NoError(t, json.Unmarshal(r.Value, &v))
		out = append(out, fmt.Sprintf("%s %d-%d", v.Labels[0], v.Start, v.End))
	}
	return strings.Join(out, ", ")
}

func TestPropagateWithoutAnythingLearned(t *testing.T) {
	c := schemeOf(t, spantest.Config)
	m := NewTagger(2, Defaults())
	for drawn, want := range map[string]string{
		"[PER Ada] met Ada and ada and Adam":         "PER 8-11",
		"Ada met [PER Ada Lovelace], Ada Lovelace":   "PER 22-34",
		"[PER Zoë] 😀 Zoë's Zoë":                      "PER 6-9, PER 12-15",
		"[LOC 東京] は 東京 の":                            "LOC 5-7",
		"the [LOC Kopenhage]ns Kopenhagens":          "LOC 16-25",
		"[PER Ada] [LOC Ada] [LOC Ada] Ada":          "LOC 12-15",
		"[PER Ada] and [PER Ada Bo] and Ada Bo, Ada": "PER 19-25, PER 27-30",
		"Ada met Ada":         "",
		"[PER Ada] [PER Ada]": "",
	} {
		assert.Equal(t, want, propagated(t, c, m, drawn), drawn)
	}
}

// What the model is sure of comes too, but for what is drawn.
func TestPropagateAddsWhatTheModelIsSureOf(t *testing.T) {
	c := schemeOf(t, spantest.Config)
	m := trained(t, c, 80)
	assert.Equal(t, "LOC 29-33", propagated(t, c, m, "yesterday [LOC Bob Marley] went to Rome again"), "what is drawn is respected, and what is not is added")
	assert.Empty(t, propagated(t, c, m, "yesterday Bob Marley went to Rome again"), "nothing is drawn")
}

// Whatever is drawn, nothing that comes back overlaps it or anything else.
func TestPropagatedSpansNeverOverlap(t *testing.T) {
	c := schemeOf(t, spantest.Config)
	m := trained(t, c, 60)
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3))
		var words []string
		for range 1 + rng.IntN(14) {
			words = append(words, []string{"Ada", "Bob", "Rome", "Mr.", "in", "東京", "😀", "went", "to"}[rng.IntN(9)])
		}
		data := spantest.Data(strings.Join(words, " "))
		p, err := content.Passage(c.Objects[0], data)
		require.NoError(rt, err)
		var drawn []regions.Span
		for range 1 + rng.IntN(3) {
			segments := token.Segment(nil, p.Text)
			a := rng.IntN(len(segments))
			b := min(len(segments), a+1+rng.IntN(3))
			drawn = append(drawn, regions.Span{Start: segments[a].Start, End: segments[b-1].End, Labels: []string{c.Labels[rng.IntN(2)]}})
		}
		marked := regions.EncodeSpans(c.Control, "d", p, drawn)
		got, confidence := NewPredictor(c, m.View()).Propagate("id", data, tokens(c, data), marked, new(Scratch))
		if confidence < 0 || confidence > 1 {
			rt.Fatalf("confidence %v", confidence)
		}
		a := regions.Spans(c.Control, got, p)
		if len(a.Spans) != len(got) {
			rt.Fatalf("%d of %d regions can be read", len(a.Spans), len(got))
		}
		all := slices.Clone(drawn)
		for _, n := range a.Spans {
			for _, o := range all {
				if n.Start < o.End && o.Start < n.End {
					rt.Fatalf("%v overlaps %v in %q", n, o, p.Text)
				}
			}
			all = append(all, n)
		}
	})
}
