package head

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func mustParse(t testing.TB, config string) *labelconfig.Config {
	t.Helper()
	cfg, err := labelconfig.Parse(config)
	if err != nil {
		t.Fatalf("Parse(%s): %v", config, err)
	}
	return cfg
}

func TestADecisionSaysWhyNot(t *testing.T) {
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
			decisions := Decide(c)
			if len(decisions) != 1 || decisions[0].Outcome != None || decisions[0].Kind != nil || !strings.Contains(decisions[0].Reason, tc.why) {
				t.Fatalf("decisions = %+v, want one because it %q", decisions, tc.why)
			}
			err := decisions.Check()
			if err == nil || !strings.Contains(err.Error(), c.Controls[0].Name) || !strings.Contains(err.Error(), "hone learns <Choices>") {
				t.Errorf("Check() = %v", err)
			}
		})
	}
}

func TestOneReadableTargetIsEnough(t *testing.T) {
	c := mustParse(t, `<View><Image name="i" value="$i"/><Text name="t" value="$t"/><Choices name="c" toName="i,t"><Choice value="A"/><Choice value="B"/></Choices></View>`)
	l := Decide(c).Learned()
	if len(l) != 1 {
		t.Fatalf("learned: %+v", l)
	}
	if o := l[0].Objects; len(o) != 1 || o[0].Name != "t" {
		t.Errorf("objects: %+v", o)
	}
}

// A tag may be written in any case; the config spells it as the table of tags does.
func TestTagsAreSpelledAsTheTableHasThem(t *testing.T) {
	for _, tag := range controlTags {
		c := mustParse(t, `<View><Text name="t" value="$t"/><`+strings.ToUpper(tag.name)+` name="c" toName="t"/></View>`).Controls[0]
		if c.Type != tag.name || c.LabelsSpans() != (tag.answer == AnswerSpans) {
			t.Errorf("%s is read as %+v", tag.name, c)
		}
	}
}

func TestEveryRecordedConfigIsDecidedOn(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "labelstudio", "testdata", "fixtures", "backend-setup*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d setup fixtures, %v", len(files), err)
	}
	learned := map[string]bool{"backend-setup": true, "backend-setup-choices": true, "backend-setup-choices-multi": true, "backend-setup-multi-control": true, "backend-setup-taxonomy": true, "backend-setup-rating": true, "backend-setup-number": true, "backend-setup-pairwise": true, "backend-setup-ner": true, "backend-setup-hypertext-ner": true}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ Schema string }
		if err := json.Unmarshal(b, &body); err != nil {
			t.Fatal(err)
		}
		if err := Decide(mustParse(t, body.Schema)).Check(); (err == nil) != learned[name] {
			t.Errorf("%s: Check() = %v, learned should be %v", name, err, learned[name])
		}
	}
}

func TestKeysChangeWithWhatTheHeadsDependOn(t *testing.T) {
	base := `<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="single"><Choice value="A"/><Choice value="B"/></Choices></View>`
	same := []string{
		`<View><Header value="v2"/><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="A" hotkey="1"/><Choice value="B"/></Choices></View>`,
		`<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="single-radio"><Choice value="A"/><Choice value="B"/></Choices><TextArea name="r" toName="t"/></View>`,
	}
	key := Decide(mustParse(t, base)).Key()
	for _, s := range same {
		if Decide(mustParse(t, s)).Key() != key {
			t.Errorf("key differs for %s", s)
		}
	}
	for from, to := range map[string]string{
		`choice="single"`: `choice="multiple"`, `"$text"`: `"$body"`, `name="c"`: `name="d"`, `value="B"`: `value="C"`,
		`<Choice value="B"/>`: `<Choice value="B"/><Choice value="C"/>`, `<Choice value="A"/>`: `<Choice value="A" alias="x"/>`,
		`value="A"/>`: `value="A" hint="first"/>`, `<Text`: `<HyperText`,
	} {
		if Decide(mustParse(t, strings.Replace(base, from, to, 1))).Key() == key {
			t.Errorf("key stays the same when %s becomes %s", from, to)
		}
	}
}

func FuzzDecide(f *testing.F) {
	f.Add(golden.LabelConfig)
	f.Add(`<View><Text name="t" value="$t"/><Taxonomy name="c" toName="t" maxUsages="2"><Choice value="A"><Choice value="B" alias="b"/></Choice><Choice value="B"/></Taxonomy></View>`)
	f.Add(`<View><Image name="i" value="$i"/><Text name="t" value="$t"/><Pairwise name="p" toName="t,i"/></View>`)
	f.Fuzz(func(t *testing.T, config string) {
		cfg, err := labelconfig.Parse(config)
		if err != nil {
			return
		}
		decisions := Decide(cfg)
		if again := Decide(cfg); again.Key() != decisions.Key() {
			t.Fatal("deciding twice differs")
		}
		if (decisions.Check() == nil) != (len(decisions.Learned()) > 0) {
			t.Fatal("Check and Learned disagree")
		}
		for _, d := range decisions {
			if (d.Outcome == Learned) != (d.Reason == "") || (d.Outcome == Learned) != (d.Kind != nil) {
				t.Fatalf("%+v", d)
			}
			if d.Outcome == Learned && len(d.Objects) == 0 {
				t.Fatalf("%q is learned of nothing", d.Control.Name)
			}
		}
	})
}
