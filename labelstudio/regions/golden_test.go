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
		case d.Answer == head.AnswerNumber:
			a.Regions = append(a.Regions, regions.EncodeNumber(c, "id", 7.3, 0.25), regions.EncodeNumber(c, "id", -math.Pi, 2))
			v, ok := regions.Number(c, a.Regions)
			a.Read = []any{v, ok}
		case d.Answer == head.AnswerSpans:
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

// Label Studio shows two digits of a score, and stores all of them in each prediction.
func TestScoresOfRegionsAreShort(t *testing.T) {
	cfg, err := labelconfig.Parse(golden.LabelConfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range head.Decide(cfg).Learned() {
		var got []regions.Region
		switch d.Answer {
		case head.AnswerNumber:
			got = append(got, regions.EncodeNumber(d.Control, "id", 7.3, 0.123456789))
		case head.AnswerSpans:
			p, err := content.Passage(d.Objects[0], []byte(`{"text":"Ada","html":"<p>Ada</p>","talk":[{"who":"Ada","said":"Ada"}]}`))
			if err != nil {
				t.Fatal(err)
			}
			got = regions.EncodeSpans(d.Control, "id", p, []regions.Span{{End: 3, Labels: d.Control.LabelNames()[:1], Score: 0.123456789}})
		default:
			got = append(got, regions.EncodeChoices(d.Control, "id", d.Control.LabelNames()[:1], 0.123456789))
		}
		if len(got) != 1 || got[0].Score == nil || *got[0].Score != 0.1235 {
			t.Errorf("%s: %+v, want a region with the score 0.1235", d.Control.Name, got)
		}
	}
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
