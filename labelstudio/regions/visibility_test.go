package regions

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// drawnControl is a control of a random config, as the config says it.
type drawnControl struct {
	name, tag string
	when      []drawnCondition // of the control and of the Views around it
}

type drawnCondition struct{ when, tag, values string }

func (c drawnCondition) attrs() string {
	out := fmt.Sprintf(` visibleWhen=%q`, c.when)
	if c.tag != "" {
		out += fmt.Sprintf(` whenTagName=%q`, c.tag)
	}
	if c.values != "" && c.when == "region-selected" {
		out += fmt.Sprintf(` whenLabelValue=%q`, c.values)
	} else if c.values != "" {
		out += fmt.Sprintf(` whenChoiceValue=%q`, c.values)
	}
	return out
}

// drawControls draws controls that wait for each other. With circles one may wait for any
// other or for itself, without only for those before it.
func drawControls(t *rapid.T, circles bool) (controls []drawnControl, config string) {
	config = `<View><Text name="t" value="$t"/>`
	for i := range rapid.IntRange(1, 5).Draw(t, "controls") {
		c := drawnControl{name: fmt.Sprint("c", i), tag: rapid.SampledFrom([]string{"Choices", "Choices", "Taxonomy", "Labels", "Rating"}).Draw(t, "tag")}
		before, after := "", ""
		for range rapid.IntRange(0, 2).Draw(t, "conditions") {
			when := drawnCondition{when: rapid.SampledFrom([]string{"choice-selected", "choice-selected", "choice-unselected", "region-selected"}).Draw(t, "when")}
			others := []string{"nobody", ""}
			if !circles {
				others = []string{"nobody"}
			}
			for j := range 5 {
				if circles || j < i {
					others = append(others, fmt.Sprint("c", j))
				}
			}
			when.tag = rapid.SampledFrom(others).Draw(t, "of")
			if when.tag != "" {
				when.values = rapid.SampledFrom([]string{"", "a", "b,c", "a, b"}).Draw(t, "values")
			}
			c.when = append(c.when, when)
			before, after = before+"<View"+when.attrs()+">", after+"</View>"
		}
		switch c.tag {
		case "Labels":
			before += fmt.Sprintf(`<Labels name=%q toName="t"><Label value="a"/><Label value="b"/><Label value="c"/></Labels>`, c.name)
		case "Rating":
			before += fmt.Sprintf(`<Rating name=%q toName="t"/>`, c.name)
		default:
			before += fmt.Sprintf(`<%s name=%q toName="t" choice="multiple"><Choice value="a"/><Choice value="b"/><Choice value="c" alias="see"/></%s>`, c.tag, c.name, c.tag)
		}
		config += before + after
		controls = append(controls, c)
	}
	return controls, config + `</View>`
}

// drawAnswers draws what is predicted of each control: nothing, or some of the labels.
func drawAnswers(t *rapid.T, controls []drawnControl) (said map[string][]string, answers []Region) {
	said = map[string][]string{}
	for _, c := range controls {
		labels := rapid.SampledFrom([][]string{nil, {"a"}, {"b"}, {"see"}, {"a", "b"}}).Draw(t, "labels")
		if labels == nil {
			continue
		}
		said[c.name] = labels
		value, _ := json.Marshal(map[string]any{strings.ToLower(c.tag): labels})
		if c.tag == "Rating" {
			value = []byte(`{"rating":3}`)
		}
		answers = append(answers, Region{FromName: c.name, ToName: "t", Type: strings.ToLower(c.tag), Value: value})
	}
	return said, answers
}

// fulfilled is what the editor finds of a condition, given the answers that are left.
func (c drawnCondition) fulfilled(self string, controls []drawnControl, left map[string][]string) bool {
	found := false
	for _, of := range controls {
		labels := left[of.name]
		if of.name == self || len(labels) == 0 || c.tag != "" && of.name != c.tag {
			continue
		}
		if c.when == "region-selected" {
			found = found || of.tag == "Labels" && (c.values == "" || slices.ContainsFunc(strings.Split(c.values, ","), func(v string) bool { return slices.Contains(labels, v) }))
			continue
		}
		if of.tag != "Choices" && (of.tag != "Taxonomy" || c.tag == "") {
			continue
		}
		found = found || c.values == "" || slices.ContainsFunc(strings.Split(c.values, ","), func(v string) bool {
			return slices.Contains(labels, v) || v == "c" && slices.Contains(labels, "see")
		})
	}
	return found == (c.when != "choice-unselected")
}

// What is left of a prediction is what annotators see with it: the condition of each answer
// holds, and where conditions make no circle nothing is left out that they would see.
func TestWhatIsLeftOfAPredictionIsVisible(t *testing.T) {
	hid, left := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		circles := rapid.Bool().Draw(t, "circles")
		controls, config := drawControls(t, circles)
		cfg, err := labelconfig.Parse(config)
		if err != nil {
			t.Fatal(err)
		}
		said, answers := drawAnswers(t, controls)
		hidden := NewVisibility(cfg.Controls).Hidden(answers)
		kept := map[string][]string{}
		for name, labels := range said {
			if !hidden[name] {
				kept[name] = labels
			}
		}
		for _, c := range controls {
			shown := true
			for _, when := range c.when {
				shown = shown && when.fulfilled(c.name, controls, kept)
			}
			if _, has := kept[c.name]; has && !shown {
				t.Fatalf("%s is answered, and %v hide it in %s", c.name, kept, config)
			}
			if !circles && shown == hidden[c.name] {
				t.Fatalf("%s is hidden: %t, and shown by %v in %s", c.name, hidden[c.name], kept, config)
			}
			if hidden[c.name] {
				hid++
			} else if len(c.when) > 0 {
				left++
			}
		}
	})
	if hid == 0 || left == 0 {
		t.Errorf("%d controls were hidden, %d with conditions shown", hid, left)
	}
}

// A finished annotation tells what its annotator saw, but for what waited for a region.
func TestWhatAnAnnotatorSaw(t *testing.T) {
	cfg, err := labelconfig.Parse(`<View><Text name="t" value="$t"/>
<Choices name="q" toName="t"><Choice value="yes"/><Choice value="no"/></Choices>
<View visibleWhen="choice-selected" whenTagName="q" whenChoiceValue="yes">
  <Choices name="why" toName="t"><Choice value="a"/><Choice value="b"/></Choices>
  <View visibleWhen="choice-selected" whenTagName="why" whenChoiceValue="a"><Rating name="stars" toName="t"/></View>
</View>
<Choices name="of region" toName="t" visibleWhen="region-selected"><Choice value="a"/><Choice value="b"/></Choices>
<Choices name="ring" toName="t" visibleWhen="choice-selected" whenTagName="ring"><Choice value="a"/><Choice value="b"/></Choices></View>`)
	if err != nil {
		t.Fatal(err)
	}
	v := NewVisibility(cfg.Controls)
	choose := func(from, label string) Region {
		return Region{FromName: from, Type: "choices", Value: json.RawMessage(`{"choices":["` + label + `"]}`)}
	}
	for _, tc := range []struct {
		answers []Region
		saw     string
	}{
		{nil, "q, of region"},
		{[]Region{choose("q", "no")}, "q, of region"},
		{[]Region{choose("q", "yes")}, "q, why, of region"},
		{[]Region{choose("q", "yes"), choose("why", "a")}, "q, why, stars, of region"},
		{[]Region{choose("q", "yes"), choose("why", "b")}, "q, why, of region"},
		{[]Region{choose("q", "no"), choose("why", "a")}, "q, of region"}, // chosen, then hidden
		{[]Region{choose("q", "yes"), choose("q", "no")}, "q, of region"}, // the last one counts
		{[]Region{choose("ring", "a")}, "q, of region"},
	} {
		var saw []string
		for _, c := range cfg.Controls {
			if v.Shown(c.Name, tc.answers) {
				saw = append(saw, c.Name)
			}
		}
		if got := strings.Join(saw, ", "); got != tc.saw {
			t.Errorf("with %+v they saw %s, want %s", tc.answers, got, tc.saw)
		}
	}
	if v.Shown("nobody", nil) {
		t.Error("a control that is not there was seen")
	}
	if free := cfg.Controls[:1]; NewVisibility(free) != nil || !NewVisibility(free).Shown("q", nil) || NewVisibility(free).Hidden(nil) != nil {
		t.Error("controls without conditions are always shown")
	}
}

// The key of a control's visibility covers the controls that it waits for.
func TestTheKeyOfVisibilityCoversWhatIsWaitedFor(t *testing.T) {
	key := func(label, other string) string {
		cfg, err := labelconfig.Parse(`<View><Text name="t" value="$t"/><Choices name="q" toName="t"><Choice value="` + label + `"/><Choice value="no"/></Choices>
<Choices name="o" toName="t"><Choice value="` + other + `"/><Choice value="no"/></Choices>
<View visibleWhen="choice-selected" whenTagName="q" whenChoiceValue="yes"><Rating name="r" toName="t"/></View></View>`)
		if err != nil {
			t.Fatal(err)
		}
		return NewVisibility(cfg.Controls).Key("r")
	}
	if key("yes", "x") == key("Yes", "x") || key("yes", "x") != key("yes", "y") {
		t.Error("the key is not that of the controls that matter")
	}
}
