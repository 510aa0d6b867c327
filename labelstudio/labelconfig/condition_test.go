package labelconfig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ab = `<Choice value="A"/><Choice value="B"/>`

func TestConditionsAreThoseThatLabelStudiosEditorReads(t *testing.T) {
	c := mustParse(t, `<View><Text name="t" value="$t"/>
<View visibleWhen="choice-selected" whenTagName="q" whenChoiceValue="A, B">
  <Choices name="list" toName="t" visibleWhen="choice-unselected" whenTagName="p">`+ab+`</Choices>
  <View><Rating name="nested" toName="t" visibleWhen="choice-selected" whenTagName="x"/></View>
</View>
<Choices name="any" toName="t" visibleWhen="choice-selected" whenChoiceValue="A">`+ab+`</Choices>
<Choices name="lone" toName="t" whenChoiceValue="A,B">`+ab+`</Choices>
<Taxonomy name="region" toName="t" visibleWhen="region-selected" whenTagName="l" whenLabelValue="PER,LOC">`+ab+`</Taxonomy>
<Choices name="role" toName="t" visibleWhen="region-selected" whenRole="user">`+ab+`</Choices>
<Choices name="no region" toName="t" visibleWhen="no-region-selected">`+ab+`</Choices>
<Choices name="other case" toName="t" visibleWhen="Choice-Selected">`+ab+`</Choices>
<Choices name="no when" toName="t" whenTagName="q" whenLabelValue="PER">`+ab+`</Choices>
<Number name="number" toName="t" visibleWhen="choice-selected"/>
<Collapse visibleWhen="choice-selected"><Labels name="l" toName="t"><Label value="PER"/></Labels></Collapse></View>`)
	got := map[string][]Condition{}
	for _, c := range c.Controls {
		got[c.Name] = c.Conditions
		if c.Conditional != (len(c.Conditions) > 0) {
			t.Errorf("%s is conditional %t by %+v", c.Name, c.Conditional, c.Conditions)
		}
	}
	view := Condition{Trigger: ChoiceSelected, Control: "q", Values: []string{"A", " B"}}
	want := map[string][]Condition{
		"list":       {view, {Trigger: ChoiceUnselected, Control: "p"}},
		"nested":     {view}, // a Rating reads no condition of its own
		"any":        {{Trigger: ChoiceSelected}},
		"lone":       {{Trigger: ChoiceSelected, Values: []string{"A,B"}}},
		"region":     {{Trigger: RegionSelected, Control: "l", Values: []string{"PER", "LOC"}}},
		"role":       {{Trigger: RegionSelected, Role: "user"}},
		"no region":  nil,
		"other case": nil,
		"no when":    nil,
		"number":     nil,
		"l":          nil,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Other conditions are another question, and tags beside each other keep theirs apart.
func TestAConditionIsPartOfTheKey(t *testing.T) {
	keys := map[string]bool{}
	for _, when := range []string{``, `visibleWhen="choice-selected"`, `visibleWhen="choice-unselected"`, `visibleWhen="choice-selected" whenTagName="q"`, `whenChoiceValue="A"`, `visibleWhen="region-selected"`} {
		c := mustParse(t, `<View><Text name="t" value="$t"/><View><View `+when+`><Choices name="c" toName="t">`+ab+`</Choices></View><View visibleWhen="choice-selected" whenTagName="z"><Choices name="d" toName="t">`+ab+`</Choices></View></View></View>`)
		keys[c.Controls[0].Key()] = true
		if len(c.Controls[1].Conditions) != 1 {
			t.Errorf("%s: the other View has the conditions %+v", when, c.Controls[1].Conditions)
		}
	}
	if len(keys) != 6 {
		t.Errorf("%d keys of 6 conditions", len(keys))
	}
}
