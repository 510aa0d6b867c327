package regions_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/passage"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// safeID is what may be a CSS class without being escaped.
var safeID = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// Whatever a control and its objects are called: the editor can make a selector of
// every id, the same thing has the same id each time, and no two things share one.
func TestIDsAreSafeStableAndDifferent(t *testing.T) {
	name := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "label", "Label", "who is it?", "名前", "a/b", "a", "b", "a-0-1", "0-1", "hone", "#1", `"'\`, "e\u0301", "é", "a b", "a\u00a0b",
	}))
	rapid.Check(t, func(rt *rapid.T) {
		type thing struct {
			control, object string
			start, end      int
		}
		const text = "Zoë met Ada 😀 in 東京"
		ids := map[thing]string{}
		owner := map[string]thing{}
		say := func(x thing, id string) {
			assert.Regexp(rt, safeID, id)
			if before, twice := ids[x]; twice {
				assert.Equal(rt, before, id, "%q has another id than before", x)
			}
			if other, taken := owner[id]; taken {
				assert.Equal(rt, other, x, "both have the id %s", id)
			}
			ids[x], owner[id] = id, x
		}
		places := rapid.SampledFrom([]int{0, 1, 2, 4, 5, 8, 11, 12, 16, 17, 19, 20, 23, len(text)}) // where characters begin, and the end
		for range rapid.IntRange(1, 6).Draw(rt, "controls") {
			c := labelconfig.Control{Name: name.Draw(rt, "control"), Type: "Labels", ToName: []string{"t"}, Labels: []labelconfig.Label{{Name: "A", Value: "A", Path: []string{"A"}}}}
			say(thing{control: c.Name, start: -1}, regions.EncodeChoices(c, regions.ID(c.Name), nil, 0).ID)
			for _, object := range []string{"", name.Draw(rt, "object"), name.Draw(rt, "another object")} {
				front, of := regions.ID(c.Name), "one object"
				if object != "" {
					front, of = regions.ObjectID(front, object), "object "+object
				}
				var spans []regions.Span
				for range rapid.IntRange(0, 3).Draw(rt, "spans") {
					a, b := places.Draw(rt, "start"), places.Draw(rt, "end")
					if a < b {
						spans = append(spans, regions.Span{Start: a, End: b, Labels: []string{"A"}})
					}
				}
				p := passage.FromText("t", text)
				for i, r := range regions.EncodeSpans(c, front, p, spans) {
					// Read back alone, since spans come in the order of the text.
					got := regions.Spans(c, []regions.Region{r}, p).Spans
					if len(got) != 1 {
						rt.Fatalf("region %d of %v cannot be read", i, spans)
					}
					say(thing{c.Name, of, got[0].Start, got[0].End}, r.ID)
				}
			}
		}
	})
}

// What Label Studio has stored must not be taken for something else by a later hone.
func TestIDsNeverChange(t *testing.T) {
	assert.Equal(t, "hone-1aca80e8b55c802f7b43", regions.ID("label"))
	assert.Equal(t, "hone-1aca80e8b55c802f7b43-982d9e3eb996f559e633", regions.ObjectID(regions.ID("label"), "text"))
}

func TestIDsOfBeforeAreRenewed(t *testing.T) {
	region := func(id string) string {
		return `{"id":"` + id + `","from_name":"a/b c","to_name":"t","value":{"x":[1.50]}}`
	}
	id := regions.ID("a/b c")
	for before, after := range map[string]string{
		"hone/a/b c": id, "hone/a/b c/0-14": id + "-0-14", "hone/a/b c/t/3-4": regions.ObjectID(id, "t") + "-3-4",
	} {
		got, current := regions.RenewIDs([]byte(`[` + region("mine") + `,` + region(before) + `,{"type":"relation"}]`))
		assert.False(t, current)
		assert.JSONEq(t, `[`+region("mine")+`,`+region(after)+`,{"type":"relation"}]`, string(got))
		got, current = regions.RenewIDs(got)
		assert.True(t, current)
		assert.Nil(t, got, "nothing is left to do")
	}
	for _, none := range []string{``, `null`, `[]`, `{}`, `[1]`, `[{"id":"x","from_name":"c","to_name":"t"}]`} {
		got, current := regions.RenewIDs([]byte(none))
		assert.False(t, current, none)
		assert.Nil(t, got, none)
	}
}
