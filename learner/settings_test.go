package learner

import (
	"testing"

	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/learner/feature"
	"github.com/hone-ml/hone/learner/feature/static"
)

// A search that starts beside the defaults would take them for another choice.
func TestEveryAxisStartsAtTheDefaults(t *testing.T) {
	for _, choice := range []string{"single", "multiple"} {
		parsed, err := labelstudio.ParseLabelConfig(`<View><Text name="t" value="$t"/><Choices name="c" toName="t" choice="` + choice + `"><Choice value="red wine"/><Choice value="a train"/></Choices></View>`)
		if err != nil {
			t.Fatal(err)
		}
		dense := []feature.Embedder{static.Default(), static.Default()}
		for n := range 3 {
			q := newQuestion(parsed, parsed.Controls[0]).under(feature.Join(feature.NewHashed(), dense[:n]...))
			for i, a := range q.axes() {
				s := q.defaults()
				a.set(&s, a.values[a.start])
				if !same(s, q.defaults()) {
					t.Errorf("%s choice, %d dense parts, axis %d starts at %+v, the defaults are %+v", choice, n, i, s, q.defaults())
				}
			}
		}
	}
}
