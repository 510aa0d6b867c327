package regions_test

import (
	"testing"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head"
)

// Every single label survives the way to Label Studio and back.
func FuzzLabelsSurvive(f *testing.F) {
	f.Add(`<View><Text name="t" value="$t"/><Choices name="c" toName="t" allowNested="true"><Choice value="A"><Choice value="B"/><Choice value="C" alias="x"/></Choice><Choice value="A / B"/></Choices></View>`)
	f.Add(`<View><Text name="t" value="$t"/><Taxonomy name="c" toName="t" maxUsages="2"><Choice value="A"><Choice value="B" alias="b"/></Choice><Choice value="B"/></Taxonomy></View>`)
	f.Add(`<View><Text name="t" value="$t"/><Text name="u" value="$u"/><Rating name="r" toName="t" maxRating="3"/><Pairwise name="p" toName="t,u"/></View>`)
	f.Fuzz(func(t *testing.T, config string) {
		cfg, err := labelconfig.Parse(config)
		if err != nil {
			return
		}
		for _, d := range head.Decide(cfg).Learned() {
			c := d.Control
			for _, l := range c.Labels {
				got := regions.Choices(c, []regions.Region{regions.EncodeChoices(c, "id", []string{l.Name}, 0.5)})
				if !got.OK || len(got.Labels) != 1 || got.Labels[0] != l.Name {
					t.Fatalf("label %q of %q came back as %+v", l.Name, c.Name, got)
				}
			}
		}
	})
}
