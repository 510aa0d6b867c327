package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/regions"
)

func TestDecodeSetup(t *testing.T) {
	got, err := DecodeSetup(fixture(t, "backend-setup"))
	want := SetupRequest{Project: 1, CreatedAt: 1795466874, LabelConfig: choicesConfig, Hostname: "http://127.0.0.1:18080", AccessToken: "redacted"}
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for body, want := range map[string]string{
		`{"project":"1.17","extra_params":{"a":1}}`:                       `{"a":1}`,
		`{"project":"1.17","extra_params":"{\"a\":1}"}`:                   `{"a":1}`,
		`{"project":1,"extra_params":""}`:                                 ``,
		`{"project":"1","access_token":null}`:                             ``,
		`{"project":{"id":1,"created_at":"2026-11-23T20:50:32.437007Z"}}`: ``,
	} {
		got, err := DecodeSetup([]byte(body))
		if err != nil || got.Project != 1 || string(got.ExtraParams) != want {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
	for body, want := range map[string]string{
		`{}`:                                    "project",
		`{"project":null}`:                      "project",
		`{"project":"0.1"}`:                     "project",
		`{"project":"1.x"}`:                     "project",
		`{"project":1.5e3}`:                     "project",
		`{"project":"1","schema":[]}`:           "schema",
		`{"project":"1","extra_params":"a: b"}`: "extra_params",
		`[]`:                                    "not a JSON object",
	} {
		_, err := DecodeSetup([]byte(body))
		var be *BodyError
		if !errors.As(err, &be) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want a *BodyError about %q", body, err, want)
		}
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	req, err := DecodeSetup([]byte(`{"project":"1.17","access_token":"hunter2"}`))
	if err != nil || req.AccessToken.Reveal() != "hunter2" {
		t.Fatalf("%v, %q", err, req.AccessToken.Reveal())
	}
	b, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(req), fmt.Sprintf("%+v %#v %q %s", req, req, req.AccessToken, req.AccessToken), string(b)} {
		if strings.Contains(s, "hunter2") || !strings.Contains(s, "redacted") {
			t.Errorf("printed as %s", s)
		}
	}
}

func TestDecodePredict(t *testing.T) {
	got, err := DecodePredict(fixture(t, "backend-predict-choices"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Project != 3 || got.CreatedAt != 1795467032 || got.LabelConfig != choicesConfig || got.Context != nil || len(got.Tasks) < 2 {
		t.Errorf("%+v", got)
	}
	if d := cmp.Diff(event.Task{ID: 7, Data: json.RawMessage(`{"text": "sample text 0"}`), UpdatedAt: utc("2026-11-23T20:50:32.838460Z")}, got.Tasks[0]); d != "" {
		t.Error(d)
	}
	got, err = DecodePredict(fixture(t, "backend-predict-interactive-choices"))
	if err != nil || got.Context == nil || len(got.Tasks) != 1 || got.Tasks[0].ID != 7 {
		t.Fatalf("%+v, %v", got, err)
	}
	if r, err := regions.Decode(got.Context.Result); err != nil || len(r) != 1 || r[0].FromName != "sentiment" {
		t.Errorf("context: %+v, %v", r, err)
	}
	for body, want := range map[string]PredictRequest{
		`{"tasks":[{"data":{"text":"some text"}}]}`:                       {Tasks: []event.Task{{Data: json.RawMessage(`{"text":"some text"}`)}}},
		`{"tasks":[],"project":7,"params":null}`:                          {Project: 7, Tasks: []event.Task{}},
		`{"tasks":[],"project":null,"params":{"context":{}}}`:             {Tasks: []event.Task{}, Context: &PredictContext{}},
		`{"tasks":[],"project":"7","params":{"context":{"result":null}}}`: {Project: 7, Tasks: []event.Task{}, Context: &PredictContext{}},
	} {
		got, err := DecodePredict([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", body, d)
		}
	}
	for body, want := range map[string]string{
		``:                                   "empty",
		`{}`:                                 "tasks",
		`{"tasks":{}}`:                       "tasks",
		`{"tasks":[{"text":"x"}]}`:           "tasks[0].data",
		`{"tasks":[{"data":{}},{"data":1}]}`: "tasks[1].data",
		`{"tasks":["x"]}`:                    "tasks",
		`{"tasks":[],"project":[]}`:          "project",
	} {
		_, err := DecodePredict([]byte(body))
		var be *BodyError
		if !errors.As(err, &be) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want a *BodyError about %q", body, err, want)
		}
	}
}

func TestDecodeTrain(t *testing.T) {
	if p, err := DecodeTrain([]byte(`{"annotations":[{}],"project":"3.17","label_config":""}`)); err != nil || p != 3 {
		t.Errorf("%d, %v", p, err)
	}
	if p, err := DecodeTrain([]byte(`{}`)); err != nil || p != 0 {
		t.Errorf("%d, %v", p, err)
	}
}

func TestPredictResponseAbstainsPerTask(t *testing.T) {
	b, err := json.Marshal(PredictResponse{Results: []Prediction{
		{Result: []regions.Region{{FromName: "c", ToName: "t", Type: "choices", Value: json.RawMessage(`{"choices":["a"]}`)}}, Score: 0.5, ModelVersion: "hone-1"},
		{},
		{Result: []regions.Region{}, Score: 1.5},
		{Result: []regions.Region{}, Score: math.NaN()},
	}})
	want := `{"results":[{"result":[{"from_name":"c","to_name":"t","type":"choices","value":{"choices":["a"]}}],"score":0.5,"model_version":"hone-1"},{},{"result":[],"score":1},{}]}`
	if err != nil || string(b) != want {
		t.Errorf("got  %s, %v\nwant %s", b, err, want)
	}
	if b, err := json.Marshal(PredictResponse{}); err != nil || string(b) != `{"results":[]}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestVersionsIsAlwaysAList(t *testing.T) {
	for want, v := range map[string]Versions{`{"versions":[]}`: {}, `{"versions":["hone-1","hone-2"]}`: {Versions: []string{"hone-1", "hone-2"}}} {
		if b, err := json.Marshal(v); err != nil || string(b) != want {
			t.Errorf("got %s, %v; want %s", b, err, want)
		}
	}
}

func FuzzDecodePredict(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "testdata", "fixtures", "backend-*.json"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"tasks":[{"data":{"text":"x"}}],"project":"3.17","params":{"context":{"result":[]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var be *BodyError
		req, err := DecodePredict(body)
		if err != nil && !errors.As(err, &be) {
			t.Fatalf("error %T: %v", err, err)
		}
		for _, task := range req.Tasks {
			if jsonscan.KindOf(task.Data) != jsonscan.Object {
				t.Fatalf("task %+v", task)
			}
		}
		if setup, err := DecodeSetup(body); err != nil && !errors.As(err, &be) || err == nil && setup.Project <= 0 {
			t.Fatalf("setup %+v, %v", setup, err)
		}
		if _, err := DecodeTrain(body); err != nil && !errors.As(err, &be) {
			t.Fatalf("error %T: %v", err, err)
		}
	})
}

func BenchmarkDecodePredict(b *testing.B) {
	var req map[string]json.RawMessage
	if err := json.Unmarshal(fixture(b, "backend-predict-choices"), &req); err != nil {
		b.Fatal(err)
	}
	var tasks []json.RawMessage
	if err := json.Unmarshal(req["tasks"], &tasks); err != nil {
		b.Fatal(err)
	}
	for len(tasks) < 2000 {
		tasks = append(tasks, tasks[0])
	}
	req["tasks"], _ = json.Marshal(tasks)
	body, err := json.Marshal(req)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodePredict(body); err != nil {
			b.Fatal(err)
		}
	}
}

func TestEveryRecordedSetupNamesItsProject(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "fixtures", "backend-setup*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d setup fixtures, %v", len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		req, err := DecodeSetup(fixture(t, name))
		if err != nil || req.Project <= 0 || req.CreatedAt < 1_700_000_000 || req.Hostname == "" || req.LabelConfig == "" {
			t.Errorf("%s: %+v, %v", name, req, err)
		}
	}
}
