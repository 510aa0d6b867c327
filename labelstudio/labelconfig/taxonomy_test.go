package labelconfig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const nested = `<Choice value="Animal"><Choice value="Cat"/><Choice value="Dog" alias="dog"/></Choice><Choice value="Plant"><Choice value="Cat"/></Choice><Choice value="Stone"/>`

func taxonomy(t testing.TB, attrs string) Control {
	t.Helper()
	c, err := Parse(`<View><Text name="t" value="$t"/><taxonomy name="c" toName="t" ` + attrs + `>` + nested + `</taxonomy></View>`)
	if err != nil || len(c.Controls) != 1 {
		t.Fatalf("%v, %+v", err, c)
	}
	return c.Controls[0]
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
