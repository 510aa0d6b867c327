package wire

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/jsonscan"
)

var heard = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", "fixtures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeHook(t testing.TB, body string) Hook {
	t.Helper()
	h, err := DecodeHook([]byte(body), heard)
	if err != nil {
		t.Fatalf("DecodeHook(%.200s): %v", body, err)
	}
	return h
}

func utc(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

const choicesConfig = `<View><Text name="text" value="$text"/><Choices name="sentiment" toName="text" choice="single"><Choice value="Positive"/><Choice value="Negative"/></Choices></View>`

const recordedResult = `[{"id": "3c24bb13d7", "from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": ["Positive"]}, "origin": "manual"}]`

func TestDecodeHookReadsARecordedAnnotation(t *testing.T) {
	got := decodeHook(t, string(fixture(t, "webhook-annotation-created-choices")))
	want := Hook{
		Action: "ANNOTATION_CREATED", Project: 3, ModelVersion: new("rec"), Sampling: new("Sequential sampling"),
		Changed: &event.Changed{
			Project: 3, CreatedAt: 1795467032, Source: event.FromWebhook, At: heard, Title: "fx choices", LabelConfig: choicesConfig,
			Tasks: []event.Task{{ID: 7, Data: json.RawMessage(`{"text": "sample text 0"}`), UpdatedAt: utc("2026-11-23T20:50:33.591756Z")}},
			Annotations: []event.Annotation{{
				ID: 8, Task: 7, Result: json.RawMessage(recordedResult), CompletedBy: 1, UpdatedAt: utc("2026-11-23T20:50:33.468818Z"),
			}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDecodeHookReadsEveryRecordedAction(t *testing.T) {
	type counts struct {
		Action                            string
		Project                           event.ProjectID
		Tasks, Annotations, GoneT, GoneA  int
		Gone, Train, Reconcile, Ignored   bool
		Cancelled, GroundTruth, FromModel int
	}
	for name, want := range map[string]counts{
		"webhook-annotation-created-choices":             {Action: "ANNOTATION_CREATED", Project: 3, Tasks: 1, Annotations: 1},
		"webhook-annotation-created-skipped-choices":     {Action: "ANNOTATION_CREATED", Project: 3, Tasks: 1, Annotations: 1, Cancelled: 1},
		"webhook-annotation-created-from-draft-choices":  {Action: "ANNOTATION_CREATED", Project: 3, Tasks: 1, Annotations: 1},
		"webhook-annotation-created-no-payload":          {Action: "ANNOTATION_CREATED", Reconcile: true},
		"webhook-annotation-updated-choices":             {Action: "ANNOTATION_UPDATED", Project: 3, Tasks: 1, Annotations: 1},
		"webhook-annotations-created-bulk-choices":       {Action: "ANNOTATIONS_CREATED", Project: 3, Tasks: 2, Annotations: 2, FromModel: 2},
		"webhook-annotations-created-bulk-multi-control": {Action: "ANNOTATIONS_CREATED", Project: 22, Tasks: 2, Annotations: 2, FromModel: 2},
		"webhook-annotations-deleted-choices":            {Action: "ANNOTATIONS_DELETED", Project: 3, GoneA: 1},
		"webhook-annotations-deleted-bulk-choices":       {Action: "ANNOTATIONS_DELETED", Project: 3, GoneA: 3},
		"webhook-tasks-created-choices":                  {Action: "TASKS_CREATED", Project: 3, Tasks: 4},
		"webhook-tasks-created-with-annotations-choices": {Action: "TASKS_CREATED", Project: 3, Tasks: 2, Reconcile: true},
		"webhook-tasks-deleted-choices":                  {Action: "TASKS_DELETED", Project: 3, GoneT: 1},
		"webhook-project-updated-choices":                {Action: "PROJECT_UPDATED", Project: 3},
		"webhook-org-project-created-choices":            {Action: "PROJECT_CREATED", Project: 3},
		"webhook-org-project-deleted-choices-multi":      {Action: "PROJECT_DELETED", Project: 4, Gone: true},
		"backend-start-training-choices":                 {Action: "START_TRAINING", Project: 3, Train: true},
		"backend-webhook-start-training-choices":         {Action: "START_TRAINING", Project: 1, Train: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := decodeHook(t, string(fixture(t, name)))
			got := counts{Action: h.Action, Project: h.Project, Train: h.Train, Reconcile: h.NeedsReconcile, Ignored: h.Ignored}
			if c := h.Changed; c != nil {
				got.Tasks, got.Annotations, got.GoneT, got.GoneA, got.Gone = len(c.Tasks), len(c.Annotations), len(c.DeletedTasks), len(c.DeletedAnnotations), c.Gone
				for _, a := range c.Annotations {
					for flag, n := range map[*int]bool{&got.Cancelled: a.Cancelled, &got.GroundTruth: a.GroundTruth, &got.FromModel: a.FromModel} {
						if n {
							*flag++
						}
					}
				}
				if c.Project != h.Project || !c.At.Equal(heard) || c.Source != event.FromWebhook {
					t.Errorf("changed = %+v", c)
				}
				if !c.Gone && (c.LabelConfig == "" || c.Title == "" || c.CreatedAt == 0) {
					t.Errorf("the project's record is not in %+v", c)
				}
			}
			if (h.Reason != "") != h.NeedsReconcile {
				t.Errorf("NeedsReconcile %v with reason %q", h.NeedsReconcile, h.Reason)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

var secretsOfProject = regexp.MustCompile(`"(token|task_data_login|task_data_password)": *(null|"[^"]*")`)

// Every body Label Studio was seen to send is understood, and none of the
// project's secrets goes any further.
func TestDecodeHookReadsAllFixturesWithoutTheirSecrets(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "fixtures", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if !strings.HasPrefix(name, "webhook-") && !strings.Contains(name, "start-training") {
			continue
		}
		body := secretsOfProject.ReplaceAllString(string(fixture(t, name)), `"$1": "redacted"`)
		if strings.Contains(body, `"token": "redacted"`) { // all but a project's deletion
			read++
		}
		h := decodeHook(t, body)
		if h.Ignored {
			t.Errorf("%s is ignored", name)
		}
		if h.Changed == nil {
			continue
		}
		b, err := event.Encode(h.Changed)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "redacted") {
			t.Errorf("%s: a secret went into the event", name)
		}
	}
	if read < 20 {
		t.Errorf("only %d fixtures with secrets", read)
	}
}

func TestDecodeHookReadsOtherSpellings(t *testing.T) {
	const p = `"project":{"id":5}`
	for name, tc := range map[string]struct {
		body string
		want event.Changed
	}{
		"old annotation deleted": {`{"action":"ANNOTATION_DELETED","annotation":{"id":9},` + p + `}`, event.Changed{DeletedAnnotations: []event.AnnotationID{9}}},
		"ids under annotation":   {`{"action":"ANNOTATIONS_DELETED","annotation":[{"id":9},{"id":10}],` + p + `}`, event.Changed{DeletedAnnotations: []event.AnnotationID{9, 10}}},
		"bare ids":               {`{"action":"ANNOTATIONS_DELETED","annotations":[9,10],` + p + `}`, event.Changed{DeletedAnnotations: []event.AnnotationID{9, 10}}},
		"old task deleted":       {`{"action":"TASK_DELETED","task":{"id":4},` + p + `}`, event.Changed{DeletedTasks: []event.TaskID{4}}},
		"bare task id":           {`{"action":"TASKS_DELETED","tasks":4,` + p + `}`, event.Changed{DeletedTasks: []event.TaskID{4}}},
		"old task created":       {`{"action":"TASK_CREATED","task":{"id":4,"data":{"a":1}},` + p + `}`, event.Changed{Tasks: []event.Task{{ID: 4, Data: json.RawMessage(`{"a":1}`)}}}},
		"project by id":          {`{"action":"TASKS_DELETED","tasks":[{"id":4}],"project":5}`, event.Changed{DeletedTasks: []event.TaskID{4}}},
		"project by uid":         {`{"action":"TASKS_DELETED","tasks":[{"id":4}],"project":"5.1795467032"}`, event.Changed{DeletedTasks: []event.TaskID{4}, CreatedAt: 1795467032}},
		"project of annotation":  {`{"action":"ANNOTATION_UPDATED","annotation":{"id":9,"task":4,"project":5}}`, event.Changed{Annotations: []event.Annotation{{ID: 9, Task: 4, Untimed: true}}}},
		"people and times as objects": {
			`{"action":"ANNOTATION_UPDATED","annotation":{"id":9,"task":{"id":4},"completed_by":{"id":3,"email":"x"},"updated_at":"2026-11-23T20:50:33+02:00","result":null,"lead_time":1.5,"parent_prediction":8},` + p + `}`,
			event.Changed{Annotations: []event.Annotation{{ID: 9, Task: 4, CompletedBy: 3, Suggested: true, Result: json.RawMessage("null"), UpdatedAt: utc("2026-11-23T18:50:33Z")}}},
		},
		"task from the task's object": {`{"action":"ANNOTATION_CREATED","annotation":{"id":9,"updated_at":"2026-11-23 20:50:33.5"},"task":{"id":4},` + p + `}`, event.Changed{Annotations: []event.Annotation{{ID: 9, Task: 4, Untimed: true, UpdatedAt: utc("2026-11-23T20:50:33.5Z")}}}},
		"time without zone":           {`{"action":"TASKS_CREATED","tasks":[{"id":4,"data":{},"updated_at":"2026-11-23T20:50:33"}],` + p + `}`, event.Changed{Tasks: []event.Task{{ID: 4, Data: json.RawMessage(`{}`), UpdatedAt: utc("2026-11-23T20:50:33Z")}}}},
		"one task twice":              {`{"action":"ANNOTATIONS_CREATED","annotation":[{"id":1,"task":4},{"id":2,"task":4}],"task":[{"id":4,"data":{}},{"id":4,"data":{}}],` + p + `}`, event.Changed{Annotations: []event.Annotation{{ID: 1, Task: 4, Untimed: true}, {ID: 2, Task: 4, Untimed: true}}, Tasks: []event.Task{{ID: 4, Data: json.RawMessage(`{}`)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := decodeHook(t, tc.body)
			tc.want.Project, tc.want.Source, tc.want.At = 5, event.FromWebhook, heard
			if got.Changed == nil || got.Project != 5 {
				t.Fatalf("hook = %+v", got)
			}
			if d := cmp.Diff(tc.want, *got.Changed); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDecodeHookWithoutAPayloadOrUse(t *testing.T) {
	for body, want := range map[string]Hook{
		`{"action":"TASKS_DELETED"}`:                                {Action: "TASKS_DELETED", NeedsReconcile: true, Reason: "TASKS_DELETED came without a payload"},
		`{"action":"PROJECT_DELETED","project":null}`:               {Action: "PROJECT_DELETED", NeedsReconcile: true, Reason: "PROJECT_DELETED came without a payload"},
		`{"action":"START_TRAINING"}`:                               {Action: "START_TRAINING", Train: true},
		`{"action":"LABEL_LINK_CREATED","label_link":[{"id":1}]}`:   {Action: "LABEL_LINK_CREATED", Ignored: true},
		`{"action":"REVIEW_CREATED","project":{"id":4},"task":[7]}`: {Action: "REVIEW_CREATED", Project: 4, Ignored: true},
		// What an unknown action sends under known keys is nobody's fault.
		`{"action":"X","annotation":"surprise","tasks":{"a":1},"project":[]}`: {Action: "X", Ignored: true},
	} {
		if d := cmp.Diff(want, decodeHook(t, body)); d != "" {
			t.Errorf("%s: %s", body, d)
		}
	}
}

func TestDecodeHookNamesTheFault(t *testing.T) {
	const p = `,"project":{"id":5}}`
	for body, want := range map[string]string{
		``:                                   "empty",
		`  `:                                 "empty",
		`hello`:                              "not JSON",
		`[]`:                                 "not a JSON object",
		`null`:                               "not a JSON object",
		`{"action":"TASKS_CREATED",`:         "not JSON",
		`{}`:                                 "action",
		`{"action":""}`:                      "action",
		`{"action":7}`:                       "field action is a number where a text is expected",
		`{"action":"ANNOTATION_CREATED"` + p: "annotation",
		`{"action":"ANNOTATION_CREATED","annotation":[]` + p:                                          "annotation",
		`{"action":"ANNOTATION_CREATED","annotation":"x"` + p:                                         "annotation",
		`{"action":"ANNOTATION_CREATED","annotation":{"task":4}` + p:                                  "annotation[0].id",
		`{"action":"ANNOTATION_CREATED","annotation":{"id":-1,"task":4}` + p:                          "annotation[0].id",
		`{"action":"ANNOTATION_CREATED","annotation":{"id":1e30,"task":4}` + p:                        "annotation.id",
		`{"action":"ANNOTATION_CREATED","annotation":{"id":1}` + p:                                    "annotation[0].task",
		`{"action":"ANNOTATION_CREATED","annotation":{"id":1,"task":"x"}` + p:                         "annotation.task",
		`{"action":"ANNOTATION_CREATED","annotation":{"id":1,"task":4,"result":{}}` + p:               "annotation[0].result",
		`{"action":"ANNOTATION_CREATED","annotation":{"id":1,"task":4},"task":{"id":0,"data":{}}` + p: "task[0].id",
		`{"action":"ANNOTATION_CREATED","annotation":{"id":1,"task":4}}`:                              "project",
		`{"action":"ANNOTATION_CREATED","annotation":{"id":1,"task":4,"project":6}` + p:               "annotation.project",
		`{"action":"ANNOTATIONS_DELETED","annotations":[]` + p:                                        "annotations",
		`{"action":"ANNOTATIONS_DELETED","annotations":[{"id":3},{}]` + p:                             "annotations[1].id",
		`{"action":"TASKS_CREATED","tasks":[{"id":3}]` + p:                                            "tasks[0].data",
		`{"action":"TASKS_CREATED","tasks":[{"id":3,"data":[]}]` + p:                                  "tasks[0].data",
		`{"action":"TASKS_CREATED","tasks":[{"id":3,"data":{}},[]]` + p:                               "tasks",
		`{"action":"TASKS_DELETED","tasks":[{}]` + p:                                                  "tasks[0].id",
		`{"action":"PROJECT_UPDATED","project":{"title":"x"}}`:                                        "project.id",
		`{"action":"PROJECT_UPDATED","project":"x"}`:                                                  "project",
		`{"action":"PROJECT_UPDATED","project":true}`:                                                 "project",
		`{"action":"PROJECT_UPDATED","project":{"id":5,"label_config":7}}`:                            "project.label_config",
	} {
		_, err := DecodeHook([]byte(body), heard)
		var be *BodyError
		if !errors.As(err, &be) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want a *BodyError about %q", body, err, want)
		}
	}
}

func TestBodyErrorsDoNotQuoteTheBody(t *testing.T) {
	for _, body := range []string{
		`{"action":"PROJECT_UPDATED","project":{"id":"hunter2"}}`,
		`{"action":"PROJECT_UPDATED","project":{"id":5,"title":{"hunter2":1}}}`,
		`{"action":"PROJECT_UPDATED","project":"hunter2"}`,
		`hunter2`,
	} {
		if _, err := DecodeHook([]byte(body), heard); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func FuzzDecodeHook(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "testdata", "fixtures", "webhook-*.json"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"action":"ANNOTATIONS_DELETED","annotations":[1,{"id":2}],"project":"5.17"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := DecodeHook(body, heard)
		if err != nil {
			var be *BodyError
			if !errors.As(err, &be) {
				t.Fatalf("error %T: %v", err, err)
			}
			return
		}
		if h.Action == "" || h.Ignored == (h.Changed != nil || h.Train || h.NeedsReconcile) {
			t.Fatalf("a hook without meaning: %+v", h)
		}
		c := h.Changed
		if c == nil {
			return
		}
		if c.Project <= 0 || c.Project != h.Project {
			t.Fatalf("project %d in a hook of %d", c.Project, h.Project)
		}
		for _, a := range c.Annotations {
			if a.ID <= 0 || a.Task <= 0 {
				t.Fatalf("annotation %+v", a)
			}
		}
		for _, task := range c.Tasks {
			if task.ID <= 0 || jsonscan.KindOf(task.Data) != jsonscan.Object {
				t.Fatalf("task %+v", task)
			}
		}
		// What is accepted can be written to the log and read back.
		b, err := event.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := event.Decode(b); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkDecodeHook(b *testing.B) {
	var body json.RawMessage
	if err := json.Unmarshal(fixture(b, "webhook-annotation-created-choices"), &body); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeHook(body, heard); err != nil {
			b.Fatal(err)
		}
	}
}
