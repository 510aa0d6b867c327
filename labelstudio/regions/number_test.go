package regions

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func control(t testing.TB, tag string) labelconfig.Control {
	t.Helper()
	c, err := labelconfig.Parse(`<View><Text name="t" value="$t"/>` + tag + `</View>`)
	if err != nil || len(c.Controls) != 1 {
		t.Fatalf("%v, %+v", err, c)
	}
	return c.Controls[0]
}

func TestRatingResults(t *testing.T) {
	five, three := control(t, `<rating name="c" toName="t"/>`), control(t, `<Rating name="c" toName="t" maxRating="3" required="true"/>`)
	if d := cmp.Diff([]string{"1", "2", "3", "4", "5"}, five.LabelNames()); d != "" {
		t.Error(d)
	}
	for name, tc := range map[string]struct {
		c     labelconfig.Control
		value string
		want  Answer
	}{
		"a number":       {five, `{"rating":4}`, Answer{Labels: []string{"4"}, OK: true}},
		"written loose":  {five, `{"rating":4.0}`, Answer{Labels: []string{"4"}, OK: true}},
		"as text":        {five, `{"rating":"4"}`, Answer{Labels: []string{"4"}, OK: true}},
		"none":           {five, `{"rating":0}`, Answer{}},
		"null":           {five, `{"rating":null}`, Answer{}},
		"between":        {five, `{"rating":3.5}`, Answer{Unknown: []string{"3.5"}, Fault: `"3.5" is not among its labels`}},
		"more than most": {three, `{"rating":4}`, Answer{Unknown: []string{"4"}, Fault: `"4" is not among its labels`}},
		"negative":       {three, `{"rating":-1}`, Answer{Unknown: []string{"-1"}, Fault: `"-1" is not among its labels`}},
		"no number":      {three, `{"rating":["a"]}`, Answer{Fault: `["a"] is no answer to a Rating`}},
	} {
		if d := cmp.Diff(tc.want, Choices(tc.c, []Region{{FromName: "c", Value: json.RawMessage(tc.value)}})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	got, err := json.Marshal(EncodeChoices(five, "i", []string{"4"}, 0.5))
	want := `{"id":"i","from_name":"c","to_name":"t","type":"rating","value":{"rating":4},"score":0.5}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestNumberResults(t *testing.T) {
	c := control(t, `<number name="c" toName="t" min="0" max="100" step="0.5"/>`)
	for result, want := range map[string]struct {
		v     float64
		ok    bool
		fault string
	}{
		`[{"from_name":"c","value":{"number":42}}]`:                                          {42, true, ""},
		`[{"from_name":"c","value":{"number":0}}]`:                                           {0, true, ""},
		`[{"from_name":"c","value":{"number":"7.5"}}]`:                                       {7.5, true, ""},
		`[{"from_name":"c","value":{"number":3}},{"from_name":"c","value":{"number":4.25}}]`: {4.25, true, ""},
		`[{"from_name":"c","value":{"number":101}}]`:                                         {0, false, "the control does not take the number 101"},
		`[{"from_name":"c","value":{"number":null}}]`:                                        {0, false, ""},
		`[{"from_name":"c","value":{"number":"NaN"}}]`:                                       {0, false, `"NaN" is no number`},
		`[{"from_name":"d","value":{"number":1}}]`:                                           {0, false, ""},
		`[]`: {0, false, ""},
	} {
		if v, ok, err := DecodeNumber(c, json.RawMessage(result)); v != want.v || ok != want.ok || (err != nil) != (want.fault != "") || err != nil && err.Error() != want.fault {
			t.Errorf("%s: %g, %v, %v", result, v, ok, err)
		}
	}
	if _, _, err := DecodeNumber(c, json.RawMessage(`{}`)); err == nil {
		t.Error("no error for a result that is no list")
	}
	got, err := json.Marshal(EncodeNumber(c, "i", 41.8, 0.5))
	want := `{"id":"i","from_name":"c","to_name":"t","type":"number","value":{"number":42},"score":0.5}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}
