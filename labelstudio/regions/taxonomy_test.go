package regions

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func taxonomy(t testing.TB, attrs string) labelconfig.Control {
	t.Helper()
	c, err := labelconfig.Parse(`<View><Text name="t" value="$t"/><taxonomy name="c" toName="t" ` + attrs + `>` + nested + `</taxonomy></View>`)
	if err != nil || len(c.Controls) != 1 {
		t.Fatalf("%v, %+v", err, c)
	}
	return c.Controls[0]
}

func TestTaxonomyResults(t *testing.T) {
	value := func(paths string) string {
		return `[{"from_name":"c","to_name":"t","type":"taxonomy","value":{"taxonomy":` + paths + `}}]`
	}
	all, leaves, one := taxonomy(t, ``), taxonomy(t, `leafsOnly="true"`), taxonomy(t, `maxUsages="1"`)
	for name, tc := range map[string]struct {
		c      labelconfig.Control
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
		"too many":       {one, value(`[["Stone"],["Plant"]]`), Answer{Fault: "2 labels are chosen where one may be"}},
		"one":            {one, value(`[["Plant","Cat"]]`), Answer{Labels: []string{"Plant / Cat"}, OK: true}},
	} {
		regions, err := Decode(json.RawMessage(tc.result))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tc.want, Choices(tc.c, regions)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	got, err := json.Marshal(EncodeChoices(all, "i", []string{"Stone", "Dog", "Plant"}, 0.5))
	want := `{"id":"i","from_name":"c","to_name":"t","type":"taxonomy","value":{"taxonomy":[["Animal","dog"],["Plant"],["Stone"]]},"score":0.5}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", "fixtures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recorded is the control of a recorded project and what its recorded annotation
// says.
func recorded(t testing.TB, kind string) (labelconfig.Control, json.RawMessage) {
	t.Helper()
	var setup struct{ Schema string }
	if err := json.Unmarshal(fixture(t, "backend-setup-"+kind), &setup); err != nil {
		t.Fatal(err)
	}
	cfg, err := labelconfig.Parse(setup.Schema)
	if err != nil || len(cfg.Controls) != 1 {
		t.Fatalf("%v, %+v", err, cfg)
	}
	var body struct {
		Annotation struct{ Result json.RawMessage }
	}
	if err := json.Unmarshal(fixture(t, "webhook-annotation-created-"+kind), &body); err != nil {
		t.Fatal(err)
	}
	return cfg.Controls[0], body.Annotation.Result
}

func TestRecordedAnswersAreRead(t *testing.T) {
	for kind, want := range map[string][]string{"taxonomy": {"Cat", "Plant"}, "rating": {"4"}, "pairwise": {"left"}} {
		c, result := recorded(t, kind)
		labels, ok, err := DecodeChoices(c, result)
		if d := cmp.Diff(want, labels); d != "" || !ok || err != nil {
			t.Errorf("%s: %v, %v: %s", kind, ok, err, d)
		}
		// What hone writes reads as what a person gave.
		var theirs, ours []Region
		if err := json.Unmarshal(result, &theirs); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal([]Region{EncodeChoices(c, "i", labels, 1)})
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
	if v, ok, err := DecodeNumber(c, result); v != 42 || !ok || err != nil {
		t.Errorf("number: %g, %v, %v", v, ok, err)
	}
}
