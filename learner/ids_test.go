package learner_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/state"
)

var safeID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Whatever the controls are called, Label Studio's editor can show everything that is
// suggested by its id, stored, asked for or while somebody is at work.
func TestEveryIDIsSafe(t *testing.T) {
	odd := []string{"label", "Label", "who is it?", "名前", "a/b", "#1", "é", "e\u0301", "0-1", `"'`, "a;b", "<&>"}
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.Permutation(odd).Draw(rt, "names")
		if rapid.Bool().Draw(rt, "any") {
			names = slices.Compact(slices.Sorted(slices.Values(append(names, rapid.StringMatching(`[^\pC\pZ,]{1,8}`).Draw(rt, "name")))))
		}
		tag := func(i int, format string) string {
			var b strings.Builder
			must(rt, xml.EscapeText(&b, []byte(names[i])))
			return fmt.Sprintf(format, b.String())
		}
		config := `<View><Text name="t" value="$text"/><Text name="u" value="$other"/>` +
			tag(0, `<Choices name="%s" toName="t"><Choice value="app"/><Choice value="card"/></Choices>`) +
			tag(1, `<Taxonomy name="%s" toName="t"><Choice value="Cat"/><Choice value="Dog"/></Taxonomy>`) +
			tag(2, `<Rating name="%s" toName="t"/>`) + tag(3, `<Number name="%s" toName="t"/>`) + tag(4, `<Pairwise name="%s" toName="t,u"/>`) +
			tag(5, `<Labels name="%s" toName="t,u"><Label value="who"/><Label value="what"/></Labels>`) +
			tag(6, `<Labels name="%s" toName="t"><Label value="who"/><Label value="what"/></Labels>`) + `</View>`
		mark := func(i int, object string, from, to int) map[string]any {
			return map[string]any{"from_name": names[i], "to_name": object, "type": "labels", "value": map[string]any{"start": from, "end": to, "labels": []string{"who"}}}
		}
		// Ada is marked, and is to be found again.
		both, err := json.Marshal(map[string]string{"text": "Ada met Ada", "other": "Ada saw Ada"})
		must(rt, err)
		drawn := result(mark(5, "t", 0, 3), mark(5, "u", 0, 3), mark(6, "t", 0, 3))

		dir, remove := tempDir(rt)
		defer remove()
		st, err := state.Open(dir, state.Options{})
		must(rt, err)
		defer st.Close()
		l, err := learner.New(&disk{Store: st}, learner.Options{})
		must(rt, err)
		defer func() { must(rt, l.Stop(bg)) }()
		must(rt, l.Start(bg))
		c := &event.Changed{Project: 1, Source: event.FromWebhook, At: at(1), LabelConfig: config}
		for i := range 12 {
			answers := append([]map[string]any{
				region(names[0], []string{"app", "card"}[i%2]), valued(names[1], "taxonomy", "taxonomy", [][]string{{[]string{"Cat", "Dog"}[i%2]}}),
				valued(names[2], "rating", "rating", 1+i%4), valued(names[3], "number", "number", i), valued(names[4], "pairwise", "selected", []string{"left", "right"}[i%2]),
			}, mark(5, "t", 0, 3), mark(5, "t", 8, 11), mark(5, "u", 0, 3), mark(5, "u", 8, 11), mark(6, "t", 0, 3), mark(6, "t", 8, 11))
			c.Tasks = append(c.Tasks, event.Task{ID: event.TaskID(i + 1), Data: both, UpdatedAt: at(1)})
			c.Annotations = append(c.Annotations, event.Annotation{ID: event.AnnotationID(i + 1), Task: event.TaskID(i + 1), UpdatedAt: at(1), Result: result(answers...)})
		}
		apply(rt, l, c)

		task := event.Task{ID: 99, Data: both}
		check := func(say func() []regions.Region) {
			said := say()
			owner := map[string]string{}
			answered := map[string]bool{}
			for _, r := range said {
				require.Regexp(rt, safeID, r.ID)
				what := r.FromName + " of " + r.ToName + string(r.Value)
				if other, taken := owner[r.ID]; taken {
					rt.Fatalf("%s and %s have the id %s", other, what, r.ID)
				}
				owner[r.ID] = what
				answered[r.FromName] = true
			}
			assert.Len(rt, answered, 7, "every control answers")
			again := say()
			require.Len(rt, again, len(said))
			for i := range said {
				assert.Equal(rt, said[i].ID, again[i].ID)
			}
		}
		check(func() []regions.Region {
			ps, err := l.Predict(bg, 1, "", []event.Task{task})
			must(rt, err)
			return ps[0].Result
		})
		marked, err := regions.Decode(drawn)
		must(rt, err)
		check(func() []regions.Region {
			p, err := l.Extend(bg, 1, "", task, marked)
			must(rt, err)
			return p.Result
		})
	})
}
