package learner_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/state"
)

// hiding asks more about a card, and more again about some of that.
const hiding = `<View><Text name="t" value="$text"/>
	<Choices name="c" toName="t"><Choice value="card"/><Choice value="money"/><Choice value="app"/></Choices>
	<View visibleWhen="choice-selected" whenTagName="c" whenChoiceValue="card">
		<Choices name="m" toName="t" choice="multiple"><Choice value="urgent"/><Choice value="rude"/></Choices>
		<Rating name="stars" toName="t"/></View>
	<Choices name="else" toName="t" visibleWhen="choice-unselected" whenTagName="c" whenChoiceValue="card"><Choice value="yes"/><Choice value="no"/></Choices></View>`

// hidingAnswers are n tasks whose annotators answered what they saw.
func hidingAnswers(n int) *event.Changed {
	c := labels(n)
	c.LabelConfig = hiding
	for i := range c.Annotations {
		_, label := sentence(uint64(i + 1))
		said := []map[string]any{region("c", label)}
		switch {
		case label != "card":
			said = append(said, region("else", []string{"yes", "no"}[i%2]))
		case i%4 == 0: // nothing of m, which they saw
			said = append(said, valued("stars", "rating", "rating", 2))
		default:
			said = append(said, region("m", "urgent"), valued("stars", "rating", "rating", 1+i%5))
		}
		c.Annotations[i].Result = result(said...)
	}
	return c
}

func TestHiddenControlsAreNeitherAnsweredNorAskedAbout(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	apply(t, l, hidingAnswers(60))
	rest(t, l)
	tasks := probes(40)
	got, err := l.Predict(bg, 1, "", tasks)
	must(t, err)
	estimates, _, err := l.Estimates(bg, 1, tasks)
	must(t, err)
	cards := 0
	for i, p := range got {
		answered, asked := map[string]string{}, []string{}
		sum, scored := 0.0, 0
		for _, r := range p.Result {
			answered[r.FromName] = string(r.Value)
			sum, scored = sum+*r.Score, scored+1
		}
		for _, e := range estimates[i] {
			asked = append(asked, e.Control)
		}
		want := []string{"c", "else"}
		if answered["c"] == `{"choices":["card"]}` {
			cards++
			want = []string{"c", "m", "stars"}
		}
		if !slices.Equal(asked, want) {
			t.Errorf("task %d: asked about %v, answered %v", i, asked, answered)
		}
		for control := range answered {
			if !slices.Contains(want, control) {
				t.Errorf("task %d: hidden %s is answered: %v", i, control, answered)
			}
		}
		// The score of several labels is that of the least likely one.
		if _, several := answered["m"]; !several && scored == len(want) && math.Abs(p.Score-sum/float64(scored)) > 1e-4 {
			t.Errorf("task %d: score %g of answers whose mean is %g", i, p.Score, sum/float64(scored))
		}
	}
	if cards == 0 || cards == len(tasks) {
		t.Fatalf("%d of %d are cards", cards, len(tasks))
	}
}

// Who did not see a control said nothing of it, also not "none of them"; who saw it and
// left it alone did. What was answered and then hidden counts for nothing.
func TestWhatWasHiddenTeachesNothing(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	c := hidingAnswers(60)
	cards := 0
	for i, a := range c.Annotations {
		if _, label := sentence(uint64(i + 1)); label == "card" {
			cards++
		} else if i%3 == 0 {
			c.Annotations[i].Result = json.RawMessage(string(a.Result[:len(a.Result)-1]) + "," + string(result(region("m", "rude"), valued("stars", "rating", "rating", 5)))[1:])
		}
	}
	apply(t, l, c)
	rest(t, l)
	for _, h := range status(t, l).Heads {
		want := map[string]int{"c": 60, "m": cards, "stars": cards, "else": 60 - cards}[h.Control]
		if h.Examples != want {
			t.Errorf("%s has %d examples, want %d", h.Control, h.Examples, want)
		}
	}
	// Once the config shows the control to all, the old answers count.
	shown := `<View><Text name="t" value="$text"/><Choices name="m" toName="t" choice="multiple"><Choice value="urgent"/><Choice value="rude"/></Choices></View>`
	apply(t, l, &event.Changed{Project: 1, Source: event.FromWebhook, At: at(9), LabelConfig: shown})
	if h := status(t, l).Heads[0]; h.Examples != 60 {
		t.Errorf("shown to all, %s has %d examples", h.Control, h.Examples)
	}
}

// What an annotator at work has answered decides what they see, not what is predicted.
func TestExtendAnswersWhatTheAnnotatorSees(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	apply(t, l, hidingAnswers(60))
	rest(t, l)
	for _, task := range probes(10) {
		for _, given := range []string{"card", "app"} {
			drawn, err := regions.Decode(result(region("c", given)))
			must(t, err)
			got, err := l.Extend(bg, 1, "", task, drawn)
			must(t, err)
			for _, r := range got.Result {
				if seen := r.FromName == "c" || (r.FromName == "else") == (given == "app"); !seen {
					t.Errorf("with %s given, hidden %s is answered", given, r.FromName)
				}
			}
		}
	}
}

// anyConditions puts conditions around the questions of a config.
func anyConditions(t *rapid.T) string {
	config := `<View><Text name="t" value="$text"/>`
	for _, q := range []string{
		`<Choices name="c" toName="t"><Choice value="card"/><Choice value="money"/><Choice value="app"/></Choices>`,
		`<Choices name="m" toName="t" choice="multiple"><Choice value="urgent"/><Choice value="rude"/></Choices>`,
		`<Taxonomy name="tax" toName="t"><Choice value="Animal"><Choice value="Cat"/></Choice><Choice value="Plant"/></Taxonomy>`,
		`<Rating name="stars" toName="t"/>`,
	} {
		before, after := "", ""
		for range rapid.IntRange(0, 2).Draw(t, "conditions") {
			before += fmt.Sprintf(`<View visibleWhen=%q whenTagName=%q whenChoiceValue=%q>`,
				rapid.SampledFrom([]string{"choice-selected", "choice-unselected", "no-region-selected", "region-selected"}).Draw(t, "when"),
				rapid.SampledFrom([]string{"c", "m", "tax", "stars", "", "nobody"}).Draw(t, "of"),
				rapid.SampledFrom([]string{"card", "card,app", "urgent", "Cat", "Plant,rude", ""}).Draw(t, "value"))
			after += "</View>"
		}
		config += before + q + after
	}
	return config + `</View>`
}

// Under any conditions, what is answered is visible with the answer, what is asked about
// too, and a learner that is loaded again says the same.
func TestAnswersAreVisibleUnderAnyConditions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, remove := tempDir(t)
		defer remove()
		st, err := state.Open(dir, state.Options{})
		must(t, err)
		defer st.Close()
		l, err := learner.New(&disk{Store: st}, learner.Options{})
		must(t, err)
		defer func() { must(t, l.Stop(bg)) }()
		must(t, l.Start(bg))
		config := anyConditions(t)
		c := labels(rapid.IntRange(4, 12).Draw(t, "labels"))
		c.LabelConfig = config
		for i := range c.Annotations {
			_, label := sentence(uint64(i + 1))
			c.Annotations[i].Result = result(rapid.Permutation([]map[string]any{
				region("c", label), region("m", "urgent"), valued("tax", "taxonomy", "taxonomy", [][]string{{"Animal", "Cat"}}), valued("stars", "rating", "rating", 1+i%5),
			}).Draw(t, "answers")[:rapid.IntRange(1, 4).Draw(t, "answered")]...)
		}
		apply(t, l, c)
		rest(t, l)
		cfg, err := labelconfig.Parse(config)
		must(t, err)
		visibility := regions.NewVisibility(cfg.Controls)
		tasks := probes(4)
		got, err := l.Predict(bg, 1, config, tasks)
		must(t, err)
		estimates, _, err := l.Estimates(bg, 1, tasks)
		must(t, err)
		for i, p := range got {
			hidden := visibility.Hidden(p.Result)
			asked := map[string]bool{}
			for _, e := range estimates[i] {
				asked[e.Control] = true
				if hidden[e.Control] {
					t.Fatalf("hidden %s is asked about with %+v in %s", e.Control, p.Result, config)
				}
			}
			for _, r := range p.Result {
				if hidden[r.FromName] || !asked[r.FromName] {
					t.Fatalf("%s is answered, hidden %t, asked about %t, in %s", r.FromName, hidden[r.FromName], asked[r.FromName], config)
				}
			}
		}
		again, err := learner.New(&disk{Store: st}, learner.Options{})
		must(t, err)
		defer func() { must(t, again.Stop(bg)) }()
		must(t, again.Load(bg, []event.ProjectID{1}))
		for i, h := range status(t, again).Heads {
			if was := status(t, l).Heads[i]; was.Examples != h.Examples {
				t.Fatalf("%s has %d examples, loaded again %d", h.Control, was.Examples, h.Examples)
			}
		}
	})
}
