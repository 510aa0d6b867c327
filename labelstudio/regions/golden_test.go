package regions_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
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

// What Label Studio is sent as the answer of a control of each kind, and what is read
// of it again.
func TestGoldenResults(t *testing.T) {
	type answer struct {
		Control string
		Regions []regions.Region
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
			a.Regions = append(a.Regions, regions.EncodeNumber(c, "id", 7.3, 0.25), regions.EncodeNumber(c, "id", -math.Pi, 2))
			v, ok := regions.Number(c, a.Regions)
			a.Read = []any{v, ok}
		case c.LabelsSpans():
			p, err := cfg.Targets(c)[0].Passage(data)
			if err != nil {
				t.Fatal(err)
			}
			a.Regions = regions.EncodeSpans(c, "id", p, []regions.Span{
				{Start: 4, End: 9, Labels: c.LabelNames()[:1], Score: 0.5}, {Start: 10, End: len(p.Text), Labels: c.LabelNames(), Score: math.NaN()},
			})
			a.Read = regions.Spans(c, a.Regions, p)
		default:
			labels := c.LabelNames()
			a.Regions = append(a.Regions, regions.EncodeChoices(c, "id", labels[:1], 0.75))
			a.Read = regions.Choices(c, a.Regions)
			if c.Multiple {
				a.Regions = append(a.Regions, regions.EncodeChoices(c, "id", labels, -1), regions.EncodeChoices(c, "id", nil, math.NaN()))
			}
		}
		out = append(out, a)
	}
	golden.JSON(t, "golden/results.json", out)
}

func TestGoldenRegion(t *testing.T) {
	r := golden.Fill(&regions.Region{})
	again, err := json.Marshal([]*regions.Region{r, {}})
	if err != nil {
		t.Fatal(err)
	}
	read, err := regions.Decode([]byte(`[{"id":1,"from_name":"a","to_name":"b","type":"choices","value":{"x":1},"origin":"manual","score":0.5,"is_positive":true},{"id":null}]`))
	if err != nil {
		t.Fatal(err)
	}
	golden.JSON(t, "golden/region.json", []any{json.RawMessage(again), read})
}
