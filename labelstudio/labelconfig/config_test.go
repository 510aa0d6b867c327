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
	if !ok || got.Unlearnable != "" {
		t.Fatalf("control topic: %v, %q", ok, got.Unlearnable)
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
	if len(c.Controls) != 2 || len(c.Objects) != 2 || len(c.Targets(got)) != 2 {
		t.Errorf("%d controls, %d objects, %d targets", len(c.Controls), len(c.Objects), len(c.Targets(got)))
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	if names := c.Learnable(); len(names) != 1 || names[0].Name != "topic" {
		t.Errorf("learnable: %+v", names)
	}
}

func TestUnlearnableSaysWhy(t *testing.T) {
	const text = `<Text name="t" value="$text"/>`
	const two = `<Choice value="A"/><Choice value="B"/>`
	for name, tc := range map[string]struct{ config, why string }{
		"per region":       {text + `<Choices name="c" toName="t" perRegion="true">` + two + `</Choices>`, "per region"},
		"per item":         {text + `<Choices name="c" toName="t" perItem="True">` + two + `</Choices>`, "per region"},
		"dynamic":          {text + `<Choices name="c" toName="t" value="$options"/>`, "task data"},
		"dynamic choice":   {text + `<Choices name="c" toName="t"><Choice value="$one"/><Choice value="B"/></Choices>`, "task data"},
		"no choice":        {text + `<Choices name="c" toName="t"/>`, "no <Choice>"},
		"one choice":       {text + `<Choices name="c" toName="t"><Choice value="A"/></Choices>`, "nothing to choose"},
		"image":            {`<Image name="t" value="$image"/><Choices name="c" toName="t">` + two + `</Choices>`, `<Image name="t">`},
		"unknown object":   {text + `<Choices name="c" toName="x">` + two + `</Choices>`, `toName="x"`},
		"no object":        {text + `<Choices name="c" toName=" , ">` + two + `</Choices>`, "names no object"},
		"url":              {`<Text name="t" value="$text" valueType="url"/><Choices name="c" toName="t">` + two + `</Choices>`, "does not fetch URLs"},
		"constant text":    {`<Text name="t" value="Hello"/><Choices name="c" toName="t">` + two + `</Choices>`, "names no field"},
		"repeater":         {`<Repeater on="$items" indexFlag="{{idx}}"><Text name="t_{{idx}}" value="$items[{{idx}}].text"/><Choices name="c_{{idx}}" toName="t_{{idx}}">` + two + `</Choices></Repeater>`, "Repeater"},
		"another kind":     {text + `<BrushLabels name="c" toName="t"><Label value="A"/></BrushLabels>`, "does not learn yet"},
		"free text":        {text + `<textarea name="c" toName="t"/>`, "own words"},
		"order":            {text + `<Ranker name="c" toName="t"/>`, "an order of many"},
		"date":             {text + `<DateTime name="c" toName="t"/>`, "a date or a time"},
		"no stars":         {text + `<Rating name="c" toName="t" maxRating="many"/>`, `maxRating="many"`},
		"one star":         {text + `<Rating name="c" toName="t" maxRating="1"/>`, `maxRating="1"`},
		"no number":        {text + `<Number name="c" toName="t" min="3" max="2"/>`, "no number"},
		"one of a pair":    {text + `<Pairwise name="c" toName="t"/>`, `toName="t"`},
		"twice the same":   {text + `<Pairwise name="c" toName="t,t"/>`, `toName="t,t"`},
		"pair and image":   {text + `<Image name="i" value="$i"/><Pairwise name="c" toName="t,i"/>`, `about <Image name="i">`},
		"tree of regions":  {text + `<Taxonomy name="c" toName="t" labeling="true">` + two + `</Taxonomy>`, "per region"},
		"tree elsewhere":   {text + `<Taxonomy name="c" toName="t" apiUrl="https://example.org/tree"/>`, "task data"},
		"tree with a node": {text + `<Taxonomy name="c" toName="t" leafsOnly="true"><Choice value="A"><Choice value="B"/></Choice></Taxonomy>`, "nothing to choose"},
		"choice in choice": {text + `<Choices name="c" toName="t"><Choice value="A"><Choice value="A1"/></Choice></Choices>`, "nothing to choose"},
	} {
		t.Run(name, func(t *testing.T) {
			c := mustParse(t, "<View>"+tc.config+"</View>")
			if len(c.Controls) != 1 || !strings.Contains(c.Controls[0].Unlearnable, tc.why) {
				t.Fatalf("controls = %+v, want one that %q", c.Controls, tc.why)
			}
			err := c.Check()
			if err == nil || !strings.Contains(err.Error(), c.Controls[0].Name) || !strings.Contains(err.Error(), "hone learns <Choices>") {
				t.Errorf("Check() = %v", err)
			}
		})
	}
}

func TestOneReadableTargetIsEnough(t *testing.T) {
	c := mustParse(t, `<View><Image name="i" value="$i"/><Text name="t" value="$t"/><Choices name="c" toName="i,t"><Choice value="A"/><Choice value="B"/></Choices></View>`)
	l := c.Learnable()
	if len(l) != 1 {
		t.Fatalf("learnable: %+v", l)
	}
	if o := c.Targets(l[0]); len(o) != 1 || o[0].Name != "t" {
		t.Errorf("targets: %+v", o)
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
	learnable := map[string]bool{"backend-setup": true, "backend-setup-choices": true, "backend-setup-choices-multi": true, "backend-setup-multi-control": true, "backend-setup-taxonomy": true, "backend-setup-rating": true, "backend-setup-number": true, "backend-setup-pairwise": true, "backend-setup-ner": true, "backend-setup-hypertext-ner": true}
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
			if err := c.Check(); (err == nil) != learnable[name] {
				t.Errorf("Check() = %v, learnable should be %v", err, learnable[name])
			}
		})
	}
}

func TestKeysChangeWithWhatTheHeadsDependOn(t *testing.T) {
	base := `<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="single"><Choice value="A"/><Choice value="B"/></Choices></View>`
	same := []string{
		`<View><Header value="v2"/><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="A" hotkey="1"/><Choice value="B"/></Choices></View>`,
		`<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="single-radio"><Choice value="A"/><Choice value="B"/></Choices><TextArea name="r" toName="t"/></View>`,
	}
	key := mustParse(t, base).Key()
	for _, s := range same {
		if mustParse(t, s).Key() != key {
			t.Errorf("key differs for %s", s)
		}
	}
	for from, to := range map[string]string{
		`choice="single"`: `choice="multiple"`, `"$text"`: `"$body"`, `name="c"`: `name="d"`, `value="B"`: `value="C"`,
		`<Choice value="B"/>`: `<Choice value="B"/><Choice value="C"/>`, `<Choice value="A"/>`: `<Choice value="A" alias="x"/>`,
		`value="A"/>`: `value="A" hint="first"/>`, `<Text`: `<HyperText`,
	} {
		if mustParse(t, strings.Replace(base, from, to, 1)).Key() == key {
			t.Errorf("key stays the same when %s becomes %s", from, to)
		}
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
		if err != nil || again.Key() != c.Key() {
			t.Fatalf("parsing twice differs: %v", err)
		}
		if (c.Check() == nil) != (len(c.Learnable()) > 0) {
			t.Fatal("Check and Learnable disagree")
		}
		for _, ctl := range c.Learnable() {
			if len(c.Targets(ctl)) == 0 {
				t.Fatalf("learnable control %q has no target", ctl.Name)
			}
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
