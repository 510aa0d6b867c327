package content_test

import (
	"testing"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// The texts of objects are what vectors are stored under.
func TestGoldenTexts(t *testing.T) {
	data := []byte(`{"text":"Zoë & 東京 😀","meta":{"other":["aGVsbG8="]},"who":"Ada","what":"x < y",
		"html":"<div>Ada <b>Lovelace</b><br>was&nbsp;born<style>b{}</style></div><p>in London.</p>",
		"talk":[{"who":"Ada","said":"Hello,\nBob"},{"said":"?","author":"x","text":"y"}]}`)
	cfg, err := labelconfig.Parse(golden.LabelConfig)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range cfg.Objects {
		text, err := content.Text(o, data)
		if err != nil {
			text = "error: " + err.Error()
		}
		out[o.Name] = text
	}
	golden.JSON(t, "golden/texts.json", out)
}
