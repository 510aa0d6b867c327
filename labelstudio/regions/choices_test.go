package regions

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func choices(t testing.TB, attrs, inner string) labelconfig.Control {
	t.Helper()
	c, err := labelconfig.Parse(`<View><Text name="t" value="$t"/><Choices name="c" toName="t" ` + attrs + `>` + inner + `</Choices></View>`)
	if err != nil || len(c.Controls) != 1 {
		t.Fatalf("%v, %+v", err, c)
	}
	return c.Controls[0]
}

const sentiments = `<Choice value="Positive" alias="pos"/><Choice value="Negative" alias="neg"/><Choice value="Neutral"/>`

const nested = `<Choice value="Animal"><Choice value="Cat"/><Choice value="Dog" alias="dog"/></Choice><Choice value="Plant"><Choice value="Cat"/></Choice><Choice value="Stone"/>`

func region(control, value string) string {
	return `{"id":"x","from_name":"` + control + `","to_name":"t","type":"choices","value":` + value + `}`
}

func TestDecodeChoices(t *testing.T) {
	single := choices(t, ``, sentiments)
	multi := choices(t, `choice="multiple"`, sentiments)
	required := choices(t, `choice="multiple" required="true"`, sentiments)
	conditional := choices(t, `choice="multiple" visibleWhen="choice-selected"`, sentiments)
	tree := choices(t, `choice="multiple" allowNested="true"`, nested)
	other := `{"from_name":"stars","to_name":"t","type":"rating","value":{"rating":4}}`
	for name, tc := range map[string]struct {
		c      labelconfig.Control
		result string
		want   Answer
	}{
		"alias":                  {single, `[` + region("c", `{"choices":["pos"]}`) + `]`, Answer{Labels: []string{"Positive"}, OK: true}},
		"value in spite":         {single, `[` + region("c", `{"choices":["Negative"]}`) + `]`, Answer{Labels: []string{"Negative"}, OK: true}},
		"no alias":               {single, `[` + other + `,` + region("c", `{"choices":["Neutral"]}`) + `]`, Answer{Labels: []string{"Neutral"}, OK: true}},
		"lone text":              {single, `[` + region("c", `{"choices":"pos"}`) + `]`, Answer{Labels: []string{"Positive"}, OK: true}},
		"last region counts":     {single, `[` + region("c", `{"choices":["pos"]}`) + `,` + region("c", `{"choices":["neg"]}`) + `]`, Answer{Labels: []string{"Negative"}, OK: true}},
		"two of a single":        {single, `[` + region("c", `{"choices":["pos","neg"]}`) + `]`, Answer{Fault: "2 labels are chosen where one may be"}},
		"doubled":                {single, `[` + region("c", `{"choices":["pos","pos"]}`) + `]`, Answer{Labels: []string{"Positive"}, OK: true}},
		"unknown":                {single, `[` + region("c", `{"choices":["gone"]}`) + `]`, Answer{Unknown: []string{"gone"}, Fault: `"gone" is not among its labels`}},
		"empty single":           {single, `[` + region("c", `{"choices":[]}`) + `]`, Answer{}},
		"nothing":                {single, `[]`, Answer{}},
		"null":                   {multi, `null`, Answer{}},
		"absent":                 {multi, ``, Answer{}},
		"none of them":           {multi, `[]`, Answer{OK: true}},
		"none beside another":    {multi, `[` + other + `]`, Answer{OK: true}},
		"none said":              {required, `[` + region("c", `{"choices":[]}`) + `]`, Answer{OK: true}},
		"required":               {required, `[]`, Answer{}},
		"not shown":              {conditional, `[` + other + `]`, Answer{}},
		"several":                {multi, `[` + region("c", `{"choices":["Neutral","pos"]}`) + `]`, Answer{Labels: []string{"Positive", "Neutral"}, OK: true}},
		"some unknown":           {multi, `[` + region("c", `{"choices":["gone","pos"]}`) + `]`, Answer{Labels: []string{"Positive"}, OK: true, Unknown: []string{"gone"}}},
		"all unknown":            {multi, `[` + region("c", `{"choices":["gone"]}`) + `]`, Answer{Unknown: []string{"gone"}, Fault: `"gone" is not among its labels`}},
		"broken regions":         {single, `[null,3,{"from_name":7},{"from_name":"c","value":"x"},` + region("c", `{"choices":{"a":1}}`) + `,` + region("c", `{"choices":["pos"]}`) + `]`, Answer{Labels: []string{"Positive"}, OK: true}},
		"nested":                 {tree, `[` + region("c", `{"choices":[["Animal","Cat"],["Stone"]]}`) + `]`, Answer{Labels: []string{"Animal / Cat", "Stone"}, OK: true}},
		"nested alias":           {tree, `[` + region("c", `{"choices":[["Animal","dog"]]}`) + `]`, Answer{Labels: []string{"Dog"}, OK: true}},
		"nested, parent ticked":  {tree, `[` + region("c", `{"choices":[["Animal"],["Animal","Cat"],["Animal","dog"]]}`) + `]`, Answer{Labels: []string{"Animal / Cat", "Dog"}, OK: true}},
		"nested, ambiguous leaf": {tree, `[` + region("c", `{"choices":["Cat","Stone"]}`) + `]`, Answer{Labels: []string{"Stone"}, OK: true, Unknown: []string{"Cat"}}},
		"flat config, path":      {single, `[` + region("c", `{"choices":[["pos"]]}`) + `]`, Answer{Labels: []string{"Positive"}, OK: true}},
	} {
		t.Run(name, func(t *testing.T) {
			regions, err := Decode(json.RawMessage(tc.result))
			if err != nil {
				t.Fatal(err)
			}
			labels, ok, err := DecodeChoices(tc.c, json.RawMessage(tc.result))
			if (err != nil) != (tc.want.Fault != "") || ok != tc.want.OK || !cmp.Equal(labels, tc.want.Labels) {
				t.Errorf("DecodeChoices = %q, %v, %v; want %+v", labels, ok, err, tc.want)
			}
			if regions == nil {
				return
			}
			if d := cmp.Diff(tc.want, Choices(tc.c, regions)); d != "" {
				t.Error(d)
			}
		})
	}
	for _, broken := range []string{`{}`, `"x"`, `3`, `[`, `x`, `[{]`} {
		if _, _, err := DecodeChoices(single, json.RawMessage(broken)); err == nil {
			t.Errorf("result %s: no error", broken)
		}
	}
}

func TestEncodeChoicesWritesWhatTheInterfaceReads(t *testing.T) {
	got, err := json.Marshal(EncodeChoices(choices(t, `choice="multiple"`, sentiments), "id1", []string{"Neutral", "Positive", "Nonsense"}, 0.25))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"id1","from_name":"c","to_name":"t","type":"choices","value":{"choices":["pos","Neutral"]},"score":0.25}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got, err = json.Marshal(EncodeChoices(choices(t, `allowNested="true"`, nested), "", []string{"Dog"}, 2))
	want = `{"from_name":"c","to_name":"t","type":"choices","value":{"choices":[["Animal","dog"]]},"score":1}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestEncodedChoicesDecodeToTheSameLabels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"", "a", "b", "a / b", "ü", "a b", "x"})
		attrs := fmt.Sprintf(`choice=%q allowNested="%t"`, rapid.SampledFrom([]string{"single", "multiple"}).Draw(t, "choice"), rapid.Bool().Draw(t, "nested"))
		var inner strings.Builder
		for range rapid.IntRange(1, 8).Draw(t, "labels") {
			above := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(t, "above")
			for _, a := range above {
				fmt.Fprintf(&inner, `<Choice value=%q>`, a)
			}
			fmt.Fprintf(&inner, `<Choice value=%q alias=%q/>`, word.Draw(t, "value"), word.Draw(t, "alias"))
			inner.WriteString(strings.Repeat("</Choice>", len(above)))
		}
		cfg, err := labelconfig.Parse(`<View><Text name="t" value="$t"/><Choices name="c" toName="t" ` + attrs + `>` + inner.String() + `</Choices></View>`)
		if err != nil {
			t.Fatal(err)
		}
		c := cfg.Controls[0]
		if len(c.Labels) == 0 {
			return
		}
		var pick []string
		for _, n := range c.LabelNames() {
			if c.Multiple && rapid.Bool().Draw(t, "pick") || !c.Multiple && len(pick) == 0 {
				pick = append(pick, n)
			}
		}
		raw, err := json.Marshal([]Region{EncodeChoices(c, "i", pick, 0.5)})
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := DecodeChoices(c, raw)
		if err != nil || !ok || !cmp.Equal(got, pick) {
			t.Fatalf("%q came back as %q, %v, %v by %s", pick, got, ok, err, raw)
		}
	})
}

func FuzzDecodeChoices(f *testing.F) {
	f.Add([]byte(`[{"from_name":"c","value":{"choices":["pos",["a","b"],3]},"score":0.5}]`))
	f.Add([]byte(`[{"from_name":"c","value":{"choices":"pos"}},{"from_name":{}},null,[]]`))
	f.Add([]byte(`null`))
	flat, tree := choices(f, `choice="multiple"`, sentiments), choices(f, `allowNested="true"`, nested)
	f.Fuzz(func(t *testing.T, result []byte) {
		for _, c := range []labelconfig.Control{flat, tree} {
			labels, ok, err := DecodeChoices(c, result)
			if (err != nil || !ok) && labels != nil {
				t.Fatalf("labels %q with ok %v, error %v", labels, ok, err)
			}
			if !c.Multiple && len(labels) > 1 {
				t.Fatalf("single choice with labels %q", labels)
			}
			if ok {
				raw, err := json.Marshal([]Region{EncodeChoices(c, "i", labels, 0.5)})
				if err != nil {
					t.Fatal(err)
				}
				again, _, err := DecodeChoices(c, raw)
				if err != nil || !cmp.Equal(again, labels) {
					t.Fatalf("%q came back as %q, %v", labels, again, err)
				}
			}
		}
	})
}
