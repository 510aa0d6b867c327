package labelstudio_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/labelstudio"
)

// goldenConfig is a label config with every kind of control and of object.
func goldenConfig(t *testing.T) *labelstudio.Config {
	t.Helper()
	b, err := os.ReadFile("testdata/golden/config.xml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := labelstudio.ParseLabelConfig(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// What Label Studio is sent as the answer of a control of each kind, and what is read
// of it again.
func TestGoldenResults(t *testing.T) {
	type answer struct {
		Control string
		Regions []labelstudio.Region
		Read    any
	}
	cfg := goldenConfig(t)
	data := []byte(`{"text":"Zoë met Ada 😀 in 東京","meta":{"other":["aGVsbG8="]},
		"html":"<div>Ada <b>Lovelace</b><br>was born</div><p>in London.</p>","talk":[{"who":"Ada","said":"Hello, Bob"},{"who":"Bob","said":"Ada?"}]}`)
	var out []answer
	for _, c := range cfg.Learnable() {
		a := answer{Control: c.Name}
		switch {
		case c.Type == "Number":
			a.Regions = append(a.Regions, c.EncodeNumber("id", 7.3, 0.25), c.EncodeNumber("id", -math.Pi, 2))
			v, ok := c.Number(a.Regions)
			a.Read = []any{v, ok}
		case c.LabelsSpans():
			p, err := cfg.Targets(c)[0].Passage(data)
			if err != nil {
				t.Fatal(err)
			}
			a.Regions = c.EncodeSpans("id", p, []labelstudio.Span{
				{Start: 4, End: 9, Labels: c.LabelNames()[:1], Score: 0.5}, {Start: 10, End: len(p.Text), Labels: c.LabelNames(), Score: math.NaN()},
			})
			a.Read = c.Spans(a.Regions, p)
		default:
			labels := c.LabelNames()
			a.Regions = append(a.Regions, c.EncodeChoices("id", labels[:1], 0.75))
			a.Read = c.Choices(a.Regions)
			if c.Multiple {
				a.Regions = append(a.Regions, c.EncodeChoices("id", labels, -1), c.EncodeChoices("id", nil, math.NaN()))
			}
		}
		out = append(out, a)
	}
	golden.JSON(t, "golden/results.json", out)
}

func TestGoldenRegion(t *testing.T) {
	r := golden.Fill(&labelstudio.Region{})
	again, err := json.Marshal([]*labelstudio.Region{r, {}})
	if err != nil {
		t.Fatal(err)
	}
	read, err := labelstudio.DecodeRegions([]byte(`[{"id":1,"from_name":"a","to_name":"b","type":"choices","value":{"x":1},"origin":"manual","score":0.5,"is_positive":true},{"id":null}]`))
	if err != nil {
		t.Fatal(err)
	}
	golden.JSON(t, "golden/region.json", []any{json.RawMessage(again), read})
}
