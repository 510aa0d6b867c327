package regions_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head"
)

// What Label Studio is sent as the answer of a control of each kind, and what is read
// of it again.
func TestGoldenResults(t *testing.T) {
	type answer struct {
		Control string
		Regions []regions.Region
		Read    any
	}
	cfg, err := labelconfig.Parse(golden.LabelConfig)
	if err != nil {
		t.Fatal(err)
	}
	data := []byte(`{"text":"Zoë met Ada 😀 in 東京","meta":{"other":["aGVsbG8="]},
		"html":"<div>Ada <b>Lovelace</b><br>was born</div><p>in London.</p>","talk":[{"who":"Ada","said":"Hello, Bob"},{"who":"Bob","said":"Ada?"}]}`)
	var out []answer
	for _, d := range head.Decide(cfg).Learned() {
		c := d.Control
		a := answer{Control: c.Name}
		switch {
		case c.Type == labelconfig.TypeNumber:
			a.Regions = append(a.Regions, regions.EncodeNumber(c, "id", 7.3, 0.25), regions.EncodeNumber(c, "id", -math.Pi, 2))
			v, ok := regions.Number(c, a.Regions)
			a.Read = []any{v, ok}
		case c.LabelsSpans():
			p, err := content.Passage(d.Objects[0], data)
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
