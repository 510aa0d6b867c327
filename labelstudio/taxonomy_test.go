package labelstudio

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func taxonomy(t testing.TB, attrs string) Control {
	t.Helper()
	c, err := ParseLabelConfig(`<View><Text name="t" value="$t"/><taxonomy name="c" toName="t" ` + attrs + `>` + nested + `</taxonomy></View>`)
	if err != nil || len(c.Learnable()) != 1 {
		t.Fatalf("%v, %+v", err, c)
	}
	return c.Learnable()[0]
}

func TestTaxonomyLabelsAreTheNodesThatCanBeChosen(t *testing.T) {
	all := taxonomy(t, ``)
	if d := cmp.Diff([]string{"Animal", "Animal / Cat", "Dog", "Plant", "Plant / Cat", "Stone"}, all.LabelNames()); d != "" {
		t.Error(d)
	}
	if !all.Multiple || !all.Nested || all.MaxUsages != 0 {
		t.Errorf("control = %+v", all)
	}
	leaves := taxonomy(t, `leafsOnly="true" maxUsages="2"`)
	if d := cmp.Diff([]string{"Animal / Cat", "Dog", "Plant / Cat", "Stone"}, leaves.LabelNames()); d != "" {
		t.Error(d)
	}
	if !leaves.Multiple || leaves.MaxUsages != 2 {
		t.Errorf("control = %+v", leaves)
	}
	if one := taxonomy(t, `maxUsages="1"`); one.Multiple {
		t.Error("at most one path is taken for several")
	}
	keys := map[string]bool{}
	for _, attrs := range []string{``, `leafsOnly="true"`, `maxUsages="1"`, `maxUsages="2"`} {
		keys[taxonomy(t, attrs).Key()] = true
	}
	if len(keys) != 4 {
		t.Errorf("%d keys for 4 questions", len(keys))
	}
}

func TestTaxonomyResults(t *testing.T) {
	value := func(paths string) string {
		return `[{"from_name":"c","to_name":"t","type":"taxonomy","value":{"taxonomy":` + paths + `}}]`
	}
	all, leaves, one := taxonomy(t, ``), taxonomy(t, `leafsOnly="true"`), taxonomy(t, `maxUsages="1"`)
	for name, tc := range map[string]struct {
		c      Control
		result string
		want   Answer
	}{
		"several":        {all, value(`[["Animal","Cat"],["Plant"]]`), Answer{Labels: []string{"Animal / Cat", "Plant"}, OK: true}},
		"inner node":     {all, value(`[["Animal"]]`), Answer{Labels: []string{"Animal"}, OK: true}},
		"alias":          {all, value(`[["Animal","dog"]]`), Answer{Labels: []string{"Dog"}, OK: true}},
		"added by hand":  {all, value(`[["Animal","Bird"],["Stone"]]`), Answer{Labels: []string{"Stone"}, OK: true, Unknown: []string{"Animal / Bird"}}},
		"left empty":     {all, `[]`, Answer{}},
		"emptied":        {all, value(`[]`), Answer{}},
		"of another key": {all, `[{"from_name":"c","value":{"choices":[["Stone"]]}}]`, Answer{}},
		"node no more":   {leaves, value(`[["Animal"]]`), Answer{}},
		"too many":       {one, value(`[["Stone"],["Plant"]]`), Answer{}},
		"one":            {one, value(`[["Plant","Cat"]]`), Answer{Labels: []string{"Plant / Cat"}, OK: true}},
	} {
		regions, err := DecodeRegions(json.RawMessage(tc.result))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tc.want, tc.c.Choices(regions)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	got, err := json.Marshal(all.EncodeChoices("i", []string{"Stone", "Dog", "Plant"}, 0.5))
	want := `{"id":"i","from_name":"c","to_name":"t","type":"taxonomy","value":{"taxonomy":[["Animal","dog"],["Plant"],["Stone"]]},"score":0.5}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// recorded is the control of a recorded project and what its recorded annotation
// says.
func recorded(t testing.TB, kind string) (Control, json.RawMessage) {
	t.Helper()
	req, err := DecodeSetup(fixture(t, "backend-setup-"+kind))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := ParseLabelConfig(req.LabelConfig)
	if err != nil || len(cfg.Learnable()) != 1 {
		t.Fatalf("%v, %+v", err, cfg)
	}
	var body struct {
		Annotation struct{ Result json.RawMessage }
	}
	if err := json.Unmarshal(fixture(t, "webhook-annotation-created-"+kind), &body); err != nil {
		t.Fatal(err)
	}
	return cfg.Learnable()[0], body.Annotation.Result
}

func TestRecordedAnswersAreRead(t *testing.T) {
	for kind, want := range map[string][]string{"taxonomy": {"Cat", "Plant"}, "rating": {"4"}, "pairwise": {"left"}} {
		c, result := recorded(t, kind)
		labels, ok, err := c.DecodeChoices(result)
		if d := cmp.Diff(want, labels); d != "" || !ok || err != nil {
			t.Errorf("%s: %v, %v: %s", kind, ok, err, d)
		}
		// What hone writes reads as what a person gave.
		var theirs, ours []Region
		if err := json.Unmarshal(result, &theirs); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal([]Region{c.EncodeChoices("i", labels, 1)})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &ours); err != nil {
			t.Fatal(err)
		}
		var a, b any
		_, _ = json.Unmarshal(theirs[0].Value, &a), json.Unmarshal(ours[0].Value, &b)
		if d := cmp.Diff(a, b); d != "" || ours[0].Type != theirs[0].Type || ours[0].ToName != theirs[0].ToName {
			t.Errorf("%s: %s; wrote %s", kind, d, raw)
		}
	}
	c, result := recorded(t, "number")
	if v, ok, err := c.DecodeNumber(result); v != 42 || !ok || err != nil {
		t.Errorf("number: %g, %v, %v", v, ok, err)
	}
}
