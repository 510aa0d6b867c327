package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
)

type predictAnswer struct {
	Results []struct {
		Result       []regions.Region `json:"result"`
		Score        *float64         `json:"score"`
		ModelVersion string           `json:"model_version"`
	} `json:"results"`
}

func predict(t *testing.T, url, body string) predictAnswer {
	t.Helper()
	got := call(t, http.MethodPost, url+"/predict", body)
	if got.status != http.StatusOK {
		t.Fatalf("answer: %s", got)
	}
	var a predictAnswer
	if err := json.Unmarshal([]byte(got.body), &a); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	return a
}

func TestPredictRecorded(t *testing.T) {
	r := newRig(t)
	a := predict(t, r.serve(t), recorded(t, "backend-predict-choices"))
	if len(a.Results) != 2 {
		t.Fatalf("%d results", len(a.Results))
	}
	for i, res := range a.Results {
		want := fmt.Sprintf(`{"choices":["sample text %d"]}`, i)
		if len(res.Result) != 1 || string(res.Result[0].Value) != want || *res.Score != 0.5 || res.ModelVersion != "hone-1" {
			t.Errorf("result %d: %+v", i, res)
		}
	}
}

func TestPredictThousandsInOneCall(t *testing.T) {
	r := newRig(t)
	var b strings.Builder
	b.WriteString(`{"project":"3.1","tasks":[`)
	const n = 5000
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		text := fmt.Sprint("text ", i)
		if i%7 == 0 {
			text = "" // this one is abstained from
		}
		fmt.Fprintf(&b, `{"id":%d,"data":{"text":%q},"meta":{"pad":%q}}`, i+1, text, strings.Repeat("x", 400))
	}
	b.WriteString(`]}`)
	got := call(t, http.MethodPost, r.serve(t)+"/predict", b.String())
	var a struct {
		Results []json.RawMessage `json:"results"`
	}
	if err := json.Unmarshal([]byte(got.body), &a); err != nil || len(a.Results) != n {
		t.Fatalf("%s: %v, %d results", got.line, err, len(a.Results))
	}
	for i, res := range a.Results {
		if i%7 == 0 && string(res) != "{}" || i%7 != 0 && !strings.Contains(string(res), fmt.Sprintf(`"text %d"`, i)) {
			t.Fatalf("result %d: %s", i, res)
		}
	}
	if c := r.count(t, "hone_predict_tasks_total"); c != n {
		t.Errorf("%v tasks counted", c)
	}
}

func TestPredictInteractive(t *testing.T) {
	r := newRig(t)
	url := r.serve(t)
	body := recorded(t, "backend-predict-interactive-choices")
	if a := predict(t, url, body); len(a.Results) != 1 || len(a.Results[0].Result) != 1 {
		t.Errorf("drawn: %+v", a)
	}
	if len(r.hone.drawn) != 1 || r.hone.drawn[0].Type != "choices" {
		t.Errorf("the predictor was told of %+v", r.hone.drawn)
	}
	// Label Studio's editor reads result without looking whether it is there.
	i := strings.Index(body, `"context": `)
	for _, b := range []string{
		body[:i] + `"context":{"result":[]}}}`,
		body[:i] + `"context":{}}}`,
		strings.Replace(body, "sample text 0", "", 1), // the predictor abstains
		strings.Replace(body, `"project": "3.`, `"project": "99.`, 1),
	} {
		if got := call(t, http.MethodPost, url+"/predict", b); got.status != 200 || !strings.Contains(got.body, `{"results":[{"result":[]`) {
			t.Errorf("%s\n%s", b[i:], got)
		}
	}
}

func TestPredictWithoutProject(t *testing.T) {
	bare := `{"tasks":[{"data":{"text":"some text"}}]}`
	for _, tc := range []struct {
		known  []event.ProjectID
		body   string
		status int
		says   string
	}{
		{[]event.ProjectID{3}, bare, 200, "some text"},
		{[]event.ProjectID{7, 3}, bare, 400, `several projects are connected (3, 7): say which one, as in "project": 3`},
		{[]event.ProjectID{7, 3}, `{"project":7,` + bare[1:], 200, "some text"},
		{[]event.ProjectID{7, 3}, `{"project":"7",` + bare[1:], 200, "some text"},
		{nil, bare, 404, "no project is connected to hone yet: run `hone connect --project ID`"},
		{[]event.ProjectID{3}, `{"project":4,` + bare[1:], 404, "hone does not know project 4: run `hone connect --project 4`"},
		// Label Studio itself: it would drop an error unseen.
		{[]event.ProjectID{3}, `{"project":"4.1795467032","label_config":"<View/>",` + bare[1:], 200, `{"results":[{}]}`},
		{[]event.ProjectID{3}, `{"tasks":[]}`, 200, `{"results":[]}`},
		{[]event.ProjectID{3}, `{}`, 400, "tasks is missing"},
		{[]event.ProjectID{3}, `{"tasks":{}}`, 400, "tasks"},
		{[]event.ProjectID{3}, `{"tasks":[{"text":"x"}]}`, 400, "tasks[0].data"},
		{[]event.ProjectID{3}, `{"tasks":[{"data":"x"}]}`, 400, "tasks[0].data"},
		{[]event.ProjectID{3}, `nonsense`, 400, "JSON"},
	} {
		r := newRig(t)
		clear(r.hone.versionsOf)
		for _, p := range tc.known {
			r.hone.versionsOf[p] = nil
		}
		got := call(t, http.MethodPost, r.serve(t)+"/predict", tc.body)
		if got.status != tc.status || !strings.Contains(got.line+strings.ReplaceAll(got.body, `\"`, `"`), tc.says) {
			t.Errorf("%v %s: %s; want %d %s", tc.known, tc.body, got, tc.status, tc.says)
		}
	}
}

func TestPredictBodyLimit(t *testing.T) {
	r := newRig(t, set(func(o *Options) { o.MaxPredictBytes = 1000 }))
	got := call(t, http.MethodPost, r.serve(t)+"/predict", recorded(t, "backend-predict-choices"))
	if got.status != http.StatusRequestEntityTooLarge || !strings.Contains(got.body, "1000 bytes") {
		t.Errorf("answer: %s", got)
	}
}

func TestPredictorFaultsAreErrors(t *testing.T) {
	for name, f := range map[string]func([]event.Task) ([]wire.Prediction, error){
		"error":   func([]event.Task) ([]wire.Prediction, error) { return nil, errors.New("no head") },
		"too few": func([]event.Task) ([]wire.Prediction, error) { return nil, nil },
		"not JSON": func(ts []event.Task) ([]wire.Prediction, error) {
			return []wire.Prediction{{Result: []regions.Region{{Value: json.RawMessage("{")}}}, {}}, nil
		},
	} {
		r := newRig(t)
		r.hone.predict = func(_ context.Context, _ event.ProjectID, _ string, ts []event.Task) ([]wire.Prediction, error) {
			return f(ts)
		}
		got := call(t, http.MethodPost, r.serve(t)+"/predict", recorded(t, "backend-predict-choices"))
		if got.status != http.StatusInternalServerError || !strings.Contains(got.line, "log says") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestPredictNeverSendsAScoreThatCostsTheBatch(t *testing.T) {
	r := newRig(t)
	r.hone.predict = func(_ context.Context, _ event.ProjectID, _ string, ts []event.Task) ([]wire.Prediction, error) {
		return []wire.Prediction{{Result: []regions.Region{}, Score: math.NaN()}, {Result: []regions.Region{}, Score: math.Inf(1)}}, nil
	}
	got := call(t, http.MethodPost, r.serve(t)+"/predict", recorded(t, "backend-predict-choices"))
	if got.status != http.StatusOK || !strings.Contains(got.body, `{"results":[{},{"result":[],"score":1`) {
		t.Errorf("answer: %s", got)
	}
}
