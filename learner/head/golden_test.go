package head

import (
	"testing"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/internal/golden"
)

// The keys of controls and objects are part of what is stored: with another key a
// model begins anew, and every text is encoded again.
func TestGoldenKeys(t *testing.T) {
	cfg := mustParse(t, golden.LabelConfig)
	decisions := Decide(cfg)
	type control struct {
		Name, Type, Key, Unlearnable string
		Labels                       []string
		Targets                      []string
	}
	type object struct{ Name, Type, Key, Unreadable string }
	out := struct {
		Config   string
		Controls []control
		Objects  []object
	}{Config: decisions.Key()}
	for _, d := range decisions {
		c := d.Control
		x := control{Name: c.Name, Type: c.Type, Key: c.Key(), Unlearnable: d.Reason, Labels: c.LabelNames()}
		for _, o := range d.Objects {
			x.Targets = append(x.Targets, o.Name)
		}
		out.Controls = append(out.Controls, x)
	}
	for _, o := range cfg.Objects {
		out.Objects = append(out.Objects, object{o.Name, o.Type, o.Key(), content.Unreadable(o)})
	}
	golden.JSON(t, "golden/keys.json", out)
}

// What is refused is refused in the same words.
func TestGoldenCheck(t *testing.T) {
	out := map[string]string{}
	for _, config := range []string{
		`<View><Text name="t" value="$t"/></View>`,
		`<View><Image name="i" value="$i"/><Choices name="c" toName="i"><Choice value="a"/><Choice value="b"/></Choices></View>`,
		`<View><Text name="t" value="$t"/><TextArea name="a" toName="t"/><Ranker name="r" toName="t"/></View>`,
		`<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/><Choice value="b"/></Choices></View>`,
		`<View><Text name="t" value="$t"/><Pairwise name="p" toName="t"/></View>`,
		`<View><Text name="t" value="$t"/><Labels name="l" toName="t"/></View>`,
		`<View><Text name="t" value="$t"/><Rating name="r" toName="t" maxRating="1"/></View>`,
		`<View><Repeater on="$x"><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/><Choice value="b"/></Choices></Repeater></View>`,
	} {
		out[config] = "learns"
		if err := Decide(mustParse(t, config)).Check(); err != nil {
			out[config] = err.Error()
		}
	}
	golden.JSON(t, "golden/check.json", out)
}
