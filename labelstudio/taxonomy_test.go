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

func TestRecordedTaxonomyIsRead(t *testing.T) {
	req, err := DecodeSetup(fixture(t, "backend-setup-taxonomy"))
	if err != nil {
		t.Fatal(err)
	}
	c := mustParse(t, req.LabelConfig).Learnable()[0]
	var body struct {
		Annotation struct{ Result json.RawMessage }
	}
	raw := fixture(t, "webhook-annotation-created-taxonomy")
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatal(err)
	}
	labels, ok, err := c.DecodeChoices(body.Annotation.Result)
	if d := cmp.Diff([]string{"Cat", "Plant"}, labels); d != "" || !ok || err != nil {
		t.Errorf("%v, %v: %s", ok, err, d)
	}
}
