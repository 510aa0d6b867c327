package labelconfig_test

import (
	"os"
	"testing"

	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// goldenConfig is a label config with every kind of control and of object.
func goldenConfig(t *testing.T) *labelconfig.Config {
	t.Helper()
	b, err := os.ReadFile("../testdata/golden/config.xml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := labelconfig.Parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The keys of controls and objects are part of what is stored: with another key a
// model begins anew, and every text is encoded again.
func TestGoldenKeys(t *testing.T) {
	cfg := goldenConfig(t)
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
	}{Config: cfg.Key()}
	for _, c := range cfg.Controls {
		x := control{Name: c.Name, Type: c.Type, Key: c.Key(), Unlearnable: c.Unlearnable, Labels: c.LabelNames()}
		for _, o := range cfg.Targets(c) {
			x.Targets = append(x.Targets, o.Name)
		}
		out.Controls = append(out.Controls, x)
	}
	for _, o := range cfg.Objects {
		out.Objects = append(out.Objects, object{o.Name, o.Type, o.Key(), o.Unreadable})
	}
	golden.JSON(t, "golden/keys.json", out)
}

// The texts of objects are what vectors are stored under.
func TestGoldenTexts(t *testing.T) {
	data := []byte(`{"text":"Zoë & 東京 😀","meta":{"other":["aGVsbG8="]},"who":"Ada","what":"x < y",
		"html":"<div>Ada <b>Lovelace</b><br>was&nbsp;born<style>b{}</style></div><p>in London.</p>",
		"talk":[{"who":"Ada","said":"Hello,\nBob"},{"said":"?","author":"x","text":"y"}]}`)
	out := map[string]string{}
	for _, o := range goldenConfig(t).Objects {
		text, err := o.Text(data)
		if err != nil {
			text = "error: " + err.Error()
		}
		out[o.Name] = text
	}
	golden.JSON(t, "golden/texts.json", out)
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
		cfg, err := labelconfig.Parse(config)
		if err != nil {
			t.Fatal(err)
		}
		out[config] = "learns"
		if err := cfg.Check(); err != nil {
			out[config] = err.Error()
		}
	}
	golden.JSON(t, "golden/check.json", out)
}
