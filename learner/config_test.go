package learner_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/state"
)

// anyConfig asks some questions about the texts, with some of the labels.
func anyConfig(t *rapid.T) string {
	some := func(name string, all ...string) (tags string) {
		for i, tag := range all {
			if i < 2 || rapid.Bool().Draw(t, name) {
				tags += tag
			}
		}
		return tags
	}
	shuffled := rapid.Permutation([]string{`<Choice value="card"/>`, `<Choice value="money"/>`, `<Choice value="app"/>`, `<Choice value="cash" alias="money"/>`}).Draw(t, "labels")
	questions := []string{
		`<Choices name="c" toName="t" choice="` + rapid.SampledFrom([]string{"single", "multiple"}).Draw(t, "choice") + `">` + some("label", shuffled...) + `</Choices>`,
		`<Taxonomy name="tax" toName="t" leafsOnly="` + fmt.Sprint(rapid.Bool().Draw(t, "leaves")) + `" maxUsages="` + fmt.Sprint(rapid.IntRange(1, 2).Draw(t, "usages")) + `">
			<Choice value="Animal">` + some("leaf", `<Choice value="Cat"/>`, ``, `<Choice value="Dog"/>`) + `</Choice>` + some("root", ``, `<Choice value="Plant"/>`, `<Choice value="Stone"/>`) + `</Taxonomy>`,
		`<Rating name="stars" toName="t" maxRating="` + fmt.Sprint(rapid.IntRange(2, 5).Draw(t, "stars")) + `"/>`,
		`<Number name="n" toName="t" min="` + fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "min")) + `" max="` + fmt.Sprint(rapid.IntRange(5, 20).Draw(t, "max")) + `" step="2"/>`,
		`<Pairwise name="pw" toName="t,u"/>`,
		`<TextArea name="why" toName="t"/>`,
	}
	config := `<View><Text name="t" value="$text"/><Text name="u" value="$other"/>`
	for _, q := range questions {
		if rapid.IntRange(0, 3).Draw(t, "asked") > 0 {
			config += q
		}
	}
	return config + `</View>`
}

// valid fails unless every region answers a question of the config with what it
// takes.
func valid(t *rapid.T, config string, answer []regions.Region) {
	cfg, err := labelconfig.Parse(config)
	must(t, err)
	learned := head.Decide(cfg).Learned()
	for _, r := range answer {
		at := slices.IndexFunc(learned, func(d head.Decision) bool { return d.Control.Name == r.FromName })
		if at < 0 {
			t.Fatalf("answers %q, which %s does not ask", r.FromName, config)
		}
		c := learned[at].Control
		if c.Type == "Number" {
			v, ok := regions.Number(c, []regions.Region{r})
			if !ok || v != c.Numbers.Nearest(v) {
				t.Fatalf("answers %s to %s", r.Value, config)
			}
			continue
		}
		a := regions.Choices(c, []regions.Region{r})
		if !a.OK || len(a.Unknown) > 0 || c.MaxUsages > 0 && len(a.Labels) > c.MaxUsages {
			t.Fatalf("answers %s to %s", r.Value, config)
		}
		// Not by way of an alias or a label of another path either.
		if again := regions.EncodeChoices(c, r.ID, a.Labels, *r.Score); string(again.Value) != string(r.Value) {
			t.Fatalf("answers %s where the config says %s", r.Value, again.Value)
		}
	}
}

// Whatever labels and questions come and go, what is predicted is an answer to
// what is asked now; under a config that hone has not heard of yet too.
func TestAnswersKeepToTheConfig(t *testing.T) {
	answers := []json.RawMessage{
		result(region("c", "card"), valued("tax", "taxonomy", "taxonomy", [][]string{{"Animal", "Cat"}}), valued("stars", "rating", "rating", 5), valued("n", "number", "number", 19)),
		result(region("c", "money"), valued("tax", "taxonomy", "taxonomy", [][]string{{"Animal"}, {"Plant"}}), valued("stars", "rating", "rating", 2), valued("pw", "pairwise", "selected", "right")),
		result(region("c", "app", "cash"), valued("tax", "taxonomy", "taxonomy", [][]string{{"Stone"}}), valued("n", "number", "number", 1), valued("pw", "pairwise", "selected", "left")),
		result(region("c", "gone"), valued("stars", "rating", "rating", 4), valued("n", "number", "number", 6.5)),
	}
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
		task := 0
		for change := range rapid.IntRange(1, 4).Draw(t, "changes") {
			config := anyConfig(t)
			c := &event.Changed{Project: 1, Source: event.FromWebhook, At: at(change + 1), LabelConfig: config}
			for range rapid.IntRange(0, 6).Draw(t, "annotated") {
				task++
				text, _ := sentence(uint64(task))
				c.Tasks = append(c.Tasks, event.Task{ID: event.TaskID(task), Data: data(text), UpdatedAt: at(1)})
				c.Annotations = append(c.Annotations, event.Annotation{
					ID: event.AnnotationID(task), Task: event.TaskID(task), UpdatedAt: at(1),
					Result: rapid.SampledFrom(answers).Draw(t, "answer"),
				})
			}
			apply(t, l, c)
			next := anyConfig(t)
			for _, asked := range []string{"", config, next} {
				got, err := l.Predict(bg, 1, asked, probes(3))
				must(t, err)
				for _, p := range got {
					if asked == "" {
						valid(t, config, p.Result)
					} else {
						valid(t, asked, p.Result)
					}
				}
			}
		}
	})
}
