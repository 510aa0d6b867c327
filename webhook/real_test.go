//go:build e2e

package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

const realConfig = `<View><Text name="text" value="$text"/><Choices name="sentiment" toName="text"><Choice value="Positive"/><Choice value="Negative"/></Choices></View>`

// realStudio is a project with three tasks in the Label Studio that HONE_LS_URL and
// HONE_LS_TOKEN name; scripts/label-studio run sets them.
func realStudio(t *testing.T) (*labelstudio.Client, event.ProjectID, []event.TaskID) {
	t.Helper()
	url := os.Getenv("HONE_LS_URL")
	if url == "" {
		t.Fatal("HONE_LS_URL names no Label Studio; scripts/label-studio run starts one")
	}
	ls, err := labelstudio.NewClient(labelstudio.Options{URL: url, Token: secret.Secret(os.Getenv("HONE_LS_TOKEN"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ls.Close)
	p, err := ls.CreateProject(t.Context(), t.Name(), realConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ls.DeleteProject(context.Background(), p.ID); err != nil {
			t.Error(err)
		}
	})
	tasks, err := ls.Import(t.Context(), p.ID, []map[string]string{{"text": "first"}, {"text": "second"}, {"text": "third"}})
	if err != nil {
		t.Fatal(err)
	}
	return ls, p.ID, tasks
}

var positive = labelstudio.AnnotationWrite{Result: json.RawMessage(`[{"id":"a","from_name":"sentiment","to_name":"text","type":"choices","value":{"choices":["Positive"]}}]`)}

func TestRealLabelStudioAsBackend(t *testing.T) {
	ls, p, tasks := realStudio(t)
	ctx := t.Context()
	r := newRig(t, withBasic)
	r.hone.versionsOf = map[event.ProjectID][]string{p: {"hone-1"}}
	at := r.serve(t)
	// As it is pasted: the webhook that Label Studio makes has the password too.
	backend := labelstudio.BackendWrite{Project: p, URL: labelstudio.WithUserInfo(at, "ls", "pw"), Title: "Hone"}

	r.hone.setup = func(context.Context, SetupInfo) (SetupReply, error) {
		return SetupReply{}, fmt.Errorf("%w: no <Choices> here that hone can learn", ErrUnusable)
	}
	if _, err := ls.AddBackend(ctx, backend); err == nil || !strings.Contains(err.Error(), "no [Choices] here that hone can learn") {
		t.Errorf("the user is not told why: %v", err)
	}
	r.hone.setup = nil
	wrong := backend
	wrong.URL = labelstudio.WithUserInfo(at, "ls", "wrong")
	if _, err := ls.AddBackend(ctx, wrong); err == nil || !strings.Contains(err.Error(), "authentication parameters") {
		t.Errorf("the user is not told that the password is wrong: %v", err)
	}

	b, err := ls.AddBackend(ctx, backend)
	if err != nil {
		t.Fatal(err)
	}
	if b.State != "CO" || b.ModelVersion != "hone-1" {
		t.Errorf("backend: %+v", b)
	}
	if info := r.hone.setups[len(r.hone.setups)-1]; info.Project != p || info.LabelConfig != realConfig || info.BackendURL != at {
		t.Errorf("setup: %+v", info)
	}

	a, err := ls.CreateAnnotation(ctx, tasks[0], positive)
	if err != nil {
		t.Fatal(err)
	}
	// Label Studio sends its webhooks before it answers.
	want := fmt.Sprintf("changed %d task %d annotation %d of %d", p, tasks[0], a.ID, tasks[0])
	if got := r.memory.lines(t); !slices.Contains(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
	if err := admin.DeleteAnnotation(ctx, ls, a.ID); err != nil {
		t.Fatal(err)
	}
	if got, want := r.memory.lines(t), fmt.Sprintf("changed %d -annotation %d", p, a.ID); !slices.Contains(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}

	if err := admin.TrainBackend(ctx, ls, b.ID); err != nil {
		t.Fatal(err)
	}
	if got, want := r.memory.lines(t), fmt.Sprintf("retrain %d", p); !slices.Contains(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}

	if err := admin.RetrievePredictions(ctx, ls, p); err != nil {
		t.Fatal(err)
	}
	seen := map[event.TaskID]int{}
	for row, err := range ls.Predictions(ctx, p) {
		if err != nil {
			t.Fatal(err)
		}
		if row.ModelVersion != "hone-1" || row.Score == nil || *row.Score != 0.5 {
			t.Errorf("prediction: %+v", row)
		}
		seen[row.Task]++
	}
	if len(seen) != len(tasks) {
		t.Errorf("predictions by task: %v", seen)
	}
	if n := r.count(t, "hone_webhook_refused_total", "reason", refusedMalformed); n != 0 {
		t.Errorf("%v bodies were not understood:\n%s", n, r.logged)
	}
}

// The hook that Label Studio makes by itself lacks the secret; once it has it,
// its events arrive.
func TestRealLabelStudioHookWithoutSecret(t *testing.T) {
	ls, p, tasks := realStudio(t)
	ctx := t.Context()
	r := newRig(t, withSecret)
	r.hone.versionsOf = map[event.ProjectID][]string{p: {"hone-1"}}
	if _, err := ls.AddBackend(ctx, labelstudio.BackendWrite{Project: p, URL: r.serve(t), Title: "Hone", User: access.User, Password: password}); err != nil {
		t.Fatal(err)
	}
	if _, err := ls.CreateAnnotation(ctx, tasks[0], positive); err != nil {
		t.Fatal(err)
	}
	if n := r.Stats().Unsigned; n == 0 {
		t.Fatal("the webhook that Label Studio made carries a secret, or does not come")
	}
	hooks, err := ls.Webhooks(ctx, p)
	if err != nil || len(hooks) != 1 {
		t.Fatalf("webhooks: %+v, %v", hooks, err)
	}
	hook := hooks[0]
	hook.Headers = map[string]secret.Secret{"X-Hone-Secret": password}
	if _, err := ls.UpdateWebhook(ctx, hook); err != nil {
		t.Fatal(err)
	}
	a, err := ls.CreateAnnotation(ctx, tasks[1], positive)
	if err != nil {
		t.Fatal(err)
	}
	got := r.memory.lines(t)
	if want := fmt.Sprintf("changed %d task %d annotation %d of %d", p, tasks[1], a.ID, tasks[1]); !slices.Contains(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
	if slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, fmt.Sprintf(" of %d", tasks[0])) }) {
		t.Errorf("an event without the secret was stored: %q", got)
	}
	if resp := call(t, http.MethodPost, hook.URL, `{"action":"START_TRAINING","project":{"id":`+fmt.Sprint(p)+`}}`, "Authorization", honeBasic); resp.status != http.StatusOK {
		t.Errorf("training: %s", resp)
	}
}
