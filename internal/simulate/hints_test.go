package simulate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

const hinted = `<?xml version="1.0"?><View>
 <!-- <Choice value="x" hint="in a comment"/> --><Text name="t" value="$text" hint="of the text"/>
 <Choices name="c" toName="t"><Choice value="x" hint="one > two" alias="a"/><Choice hint = 'an "x" hint=' value="y hint=3"
  HINT2="n"></Choice><choice value="z"	Hint="third"/></Choices></View>`

func TestHintsAreUsedOnlyWhenTold(t *testing.T) {
	got, hints, err := withoutHints(hinted)
	require.NoError(t, err)
	assert.Equal(t, 3, hints)
	assert.Equal(t, `<?xml version="1.0"?><View>
 <!-- <Choice value="x" hint="in a comment"/> --><Text name="t" value="$text" hint="of the text"/>
 <Choices name="c" toName="t"><Choice value="x" alias="a"/><Choice value="y hint=3"
  HINT2="n"></Choice><choice value="z"/></Choices></View>`, got)

	lines := file(t, "a.jsonl", `{"text":"p","label":"x"}`+"\n"+`{"text":"q","label":"z"}`)
	s := Source{Train: lines, LabelConfig: file(t, "c.xml", hinted)}
	d, err := Load(s)
	require.NoError(t, err)
	assert.Equal(t, got, d.Config)
	assert.Equal(t, 3, d.Hints())
	assert.Empty(t, d.questions[0].Labels[0].Hint)
	s.Hints = true
	d, err = Load(s)
	require.NoError(t, err)
	assert.Equal(t, hinted, d.Config)
	assert.Zero(t, d.Hints(), "none is left out")
	assert.Equal(t, "one > two", d.questions[0].Labels[0].Hint)
	s.Anonymous = true
	d, err = Load(s)
	require.NoError(t, err)
	assert.NotContains(t, d.Config, "one > two", "which says what names say")
}

// FuzzHints: a config without its hints is the same config but for those.
func FuzzHints(f *testing.F) {
	f.Add(hinted)
	f.Add(config)
	f.Add(`<View><Text name="t" value="$t"/><Labels name="c" toName="t"><Label a:hint="x" value="&lt;" hint=""/></Labels></View>`)
	f.Add(`<View><Text name="t" value="$t"/><Labels name="c" toName="t"><Label hint="x"value="v"/><Label value="w"hint="y"alias="z"/></Labels></View>`)
	f.Add("<View><Labels><LABel\nHint=\"\"hint=\"\"A=\"\"/><Label hint=\"\"/></Labels></View>")
	f.Fuzz(func(t *testing.T, s string) {
		before, err := labelconfig.Parse(s)
		if err != nil {
			return
		}
		got, _, err := withoutHints(s)
		if err != nil {
			t.Fatal(err)
		}
		after, err := labelconfig.Parse(got)
		if err != nil {
			t.Fatalf("%v: %q", err, got)
		}
		if n := countHints(after); n > 0 {
			t.Fatalf("%d hints are left of %q: %q", n, s, got)
		}
		if len(before.Controls) != len(after.Controls) || len(before.Objects) != len(after.Objects) {
			t.Fatalf("%q became %q", s, got)
		}
		for i, c := range before.Controls {
			if strings.Join(c.LabelNames(), "\x00") != strings.Join(after.Controls[i].LabelNames(), "\x00") {
				t.Fatalf("%q became %q", s, got)
			}
		}
	})
}
