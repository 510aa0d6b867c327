package labelconfig

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, config string) *Config {
	t.Helper()
	c, err := Parse(config)
	if err != nil {
		t.Fatalf("Parse(%s): %v", config, err)
	}
	return c
}

func TestParseLabelConfigReadsControlsObjectsAndLabels(t *testing.T) {
	c := mustParse(t, `<?xml version="1.0" encoding="ISO-8859-1"?>
<View>
  <Style>.a > .b { color: red }</Style>
  <Text name="q" value="$question"/><text NAME="a" VALUE="Answer: $answer"/>
  <View style="x"><choices name="topic" toname="q, a" CHOICE="multiple" required="true">
    <Header value="Pick"/>
    <View><Choice value="Sport &amp; Spiel" alias="sport" hint="games"/><Choice value="Zürich 東京"/></View>
    <Choice value="Zürich 東京"/>
  </choices></View>
  <Ranker name="order" toName="q"/>
  <Filter name="f" toName="topic"/>
</View>`)
	got, ok := c.Control("topic")
	if !ok {
		t.Fatal("no control topic")
	}
	if got.Type != "Choices" || !got.Multiple || !got.Required || got.Conditional {
		t.Errorf("control topic = %+v", got)
	}
	if d := cmp.Diff([]string{"q", "a"}, got.ToName); d != "" {
		t.Error(d)
	}
	want := []Label{
		{Name: "Sport & Spiel", Value: "Sport & Spiel", Alias: "sport", Hint: "games", Path: []string{"sport"}},
		{Name: "Zürich 東京", Value: "Zürich 東京", Path: []string{"Zürich 東京"}},
	}
	if d := cmp.Diff(want, got.Labels); d != "" {
		t.Error(d)
	}
	if len(c.Controls) != 2 || len(c.Objects) != 2 {
		t.Errorf("%d controls, %d objects", len(c.Controls), len(c.Objects))
	}
}

func TestConditionalIsInheritedFromTheViewAround(t *testing.T) {
	c := mustParse(t, `<View><Text name="t" value="$t"/>
<View visibleWhen="choice-selected" whenTagName="x"><View><Choices name="inner" toName="t"><Choice value="A"/><Choice value="B"/></Choices></View></View>
<Choices name="own" toName="t" whenChoiceValue="A" whenTagName="inner"><Choice value="A"/><Choice value="B"/></Choices>
<Choices name="free" toName="t"><Choice value="A"/><Choice value="B"/></Choices></View>`)
	got := map[string]bool{}
	for _, t := range c.Controls {
		got[t.Name] = t.Conditional
	}
	if d := cmp.Diff(map[string]bool{"inner": true, "own": true, "free": false}, got); d != "" {
		t.Error(d)
	}
}

func TestLabelNamesAreUnique(t *testing.T) {
	c := mustParse(t, `<View><Text name="t" value="$t"/><Choices name="c" toName="t">
<Choice value="Other" alias="a"/><Choice value="Other" alias="b"/><Choice value="a"/><Choice alias="only"/><Choice value="same" alias="a"/></Choices></View>`)
	got := c.Controls[0].LabelNames()
	seen := map[string]bool{}
	for _, n := range got {
		if seen[n] || n == "" {
			t.Errorf("name %q is empty or doubled in %q", n, got)
		}
		seen[n] = true
	}
	// value="a" and alias="a" send the same: one label.
	if len(got) != 3 {
		t.Errorf("labels = %q, want 3 that results can tell apart", got)
	}
}

func TestParseLabelConfigRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ config, why string }{
		"empty":        {"  \n", "empty"},
		"text only":    {"hello", "no tags"},
		"not closed":   {"<View><Text name='t' value='$t'>", "not well-formed"},
		"wrong close":  {"<View></Vie>", "not well-formed"},
		"entity":       {`<!DOCTYPE x [<!ENTITY a "boom">]><View><Text name="t" value="&a;"/></View>`, "not well-formed"},
		"same name":    {`<View><Text name="t" value="$t"/><Choices name="t" toName="t"/></View>`, `"t"`},
		"deep":         {strings.Repeat("<View>", 300) + strings.Repeat("</View>", 300), "deep"},
		"too large":    {"<View>" + strings.Repeat(" ", maxConfigBytes) + "</View>", "bytes"},
		"control char": {"<View>\x01</View>", "not well-formed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tc.config)
			if err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("error %v, want one about %q", err, tc.why)
			}
		})
	}
}

func TestEveryRecordedConfigParses(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "fixtures", "backend-setup*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d setup fixtures, %v", len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var body struct{ Schema string }
			if err := json.Unmarshal(b, &body); err != nil {
				t.Fatal(err)
			}
			c := mustParse(t, body.Schema)
			if len(c.Controls) == 0 || len(c.Objects) == 0 {
				t.Fatalf("%d controls, %d objects in %s", len(c.Controls), len(c.Objects), body.Schema)
			}
		})
	}
}

func FuzzParseLabelConfig(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "testdata", "fixtures", "backend-setup*.json"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var body struct{ Schema string }
		if err := json.Unmarshal(b, &body); err != nil {
			f.Fatal(err)
		}
		f.Add(body.Schema)
	}
	f.Add(`<View><Text name="t" value="$t"/><Choices name="c" toName="t" allowNested="true"><Choice value="A"><Choice value="B"/><Choice value="C" alias="x"/></Choice><Choice value="A / B"/></Choices></View>`)
	f.Add(`<View><Text name="t" value="$t"/><Taxonomy name="c" toName="t" maxUsages="2"><Choice value="A"><Choice value="B" alias="b"/></Choice><Choice value="B"/></Taxonomy></View>`)
	f.Add(`<View><Text name="t" value="$t"/><Rating name="r" toName="t" maxRating="3"/><Number name="n" toName="t" min="0.1" step="0.2" max="1"/></View>`)
	f.Fuzz(func(t *testing.T, config string) {
		c, err := Parse(config)
		if err != nil {
			return
		}
		again, err := Parse(config)
		if err != nil || !cmp.Equal(again, c, cmp.AllowUnexported(Control{}, Object{})) {
			t.Fatalf("parsing twice differs: %v", err)
		}
		for _, ctl := range c.Controls {
			seen := map[string]bool{}
			for _, l := range ctl.Labels {
				if l.Name == "" || seen[l.Name] || len(l.Path) == 0 {
					t.Fatalf("labels of %q: %+v", ctl.Name, ctl.Labels)
				}
				seen[l.Name] = true
			}
		}
	})
}
