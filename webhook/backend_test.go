package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hone-ml/hone/event"
)

func TestSetupTellsTheAdopter(t *testing.T) {
	r := newRig(t)
	url := r.serve(t)
	got := call(t, http.MethodPost, url+"/setup", recorded(t, "backend-setup-choices"))
	if got.status != http.StatusOK || got.body != `{"model_version":"hone-1"}` {
		t.Fatalf("answer: %s", got)
	}
	info := r.hone.setups[0]
	if info.Project != 3 || info.CreatedAt != 1795467032 || info.BackendURL != url || info.Hostname != "http://127.0.0.1:18080" ||
		!strings.HasPrefix(info.LabelConfig, "<View>") || info.AccessToken.Reveal() != "not-a-real-token-11111111111111111111111" {
		t.Errorf("setup: %+v", info)
	}
	if s := fmt.Sprintf("%+v", info); strings.Contains(s, "not-a-real-token") {
		t.Errorf("the token prints: %s", s)
	}
}

// Label Studio shows its users the status line of an error, and nothing else.
func TestSetupErrorReachesTheUser(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		says   string
	}{
		{fmt.Errorf("%w: the label config has no Choices over a Text; hone learns from those", ErrUnusable), 400, "the label config has no Choices over a Text; hone learns from those"},
		{fmt.Errorf("no Choices in <View>\r\nX-Evil: 1: %w", ErrUnusable), 400, "no Choices in [View] X-Evil: 1"},
		{fmt.Errorf("%w: étiquette", ErrUnusable), 400, "?tiquette"},
		{errors.New("open /data/hone.db: no space left on device"), 503, "its log says why"},
	} {
		r := newRig(t)
		r.hone.setup = func(context.Context, SetupInfo) (SetupReply, error) { return SetupReply{}, tc.err }
		got := call(t, http.MethodPost, r.serve(t)+"/setup", recorded(t, "backend-setup-choices"))
		if got.status != tc.status || !strings.HasSuffix(got.line, tc.says) || got.header.Get("X-Evil") != "" {
			t.Errorf("answer: %s; want %d %q", got, tc.status, tc.says)
		}
		if !strings.HasPrefix(got.body, `{"error":"`) || strings.Contains(got.body, "/data/hone.db") {
			t.Errorf("body: %s", got.body)
		}
	}
}

func TestSetupRefuses(t *testing.T) {
	for _, body := range []string{`x`, `[]`, `{}`, `{"project":"x"}`, `{"project":"-1.5"}`, `{"project":"3.1","schema":5}`} {
		r := newRig(t)
		got := call(t, http.MethodPost, r.serve(t)+"/setup", body)
		if got.status != http.StatusBadRequest || !strings.Contains(got.line, "body") {
			t.Errorf("%s: %s", body, got)
		}
		if len(r.hone.setups) != 0 {
			t.Errorf("%s: adopted", body)
		}
	}
}

func TestSetupAnswersInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		release := make(chan struct{})
		r.hone.setup = func(context.Context, SetupInfo) (SetupReply, error) { <-release; return SetupReply{}, nil }
		start := time.Now()
		w := r.direct(http.MethodPost, "/setup", recorded(t, "backend-setup-choices"))
		if took := time.Since(start); took >= 3*time.Second || w.Code != http.StatusServiceUnavailable {
			t.Errorf("answered %d after %v", w.Code, took)
		}
		close(release)
	})
}

func TestSetupThatPanicsIsAnError(t *testing.T) {
	r := newRig(t)
	r.hone.setup = func(context.Context, SetupInfo) (SetupReply, error) { panic("boom") }
	if got := call(t, http.MethodPost, r.serve(t)+"/setup", recorded(t, "backend-setup-choices")); got.status != http.StatusServiceUnavailable {
		t.Errorf("answer: %s", got)
	}
}

func TestHealthIsJSONAndNeedsNothing(t *testing.T) {
	r := newRig(t)
	url := r.serve(t)
	for _, path := range []string{"/", "/health", "/health/"} {
		got := call(t, http.MethodGet, url+path, "")
		if got.status != http.StatusOK || got.body != `{"status":"UP","model_class":"Hone"}` || !strings.HasPrefix(got.header.Get("Content-Type"), jsonType) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestUnknownPathsAndMethodsAnswerJSON(t *testing.T) {
	r := newRig(t)
	url := r.serve(t)
	for path, want := range map[string]int{"/nothing": 404, "/ml/webhook": 404, "/webhook": 405, "/predict/": 405} {
		got := call(t, http.MethodGet, url+path, "")
		if got.status != want || !strings.HasPrefix(got.body, `{"error":"`) {
			t.Errorf("%s: %s; want %d", path, got, want)
		}
	}
	for _, path := range []string{"/webhook/", "/setup/", "/predict/", "/train/"} {
		body := map[string]string{"/webhook/": "webhook-tasks-created-choices", "/setup/": "backend-setup-choices"}[path]
		if body == "" {
			body = "backend-predict-choices"
		}
		if got := call(t, http.MethodPost, url+path, recorded(t, body)); got.status != http.StatusOK {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestVersions(t *testing.T) {
	r := newRig(t)
	url := r.serve(t)
	expect := func(query, want string) {
		t.Helper()
		if got := call(t, http.MethodGet, url+"/versions"+query, ""); !strings.Contains(got.String(), want) {
			t.Errorf("%s: %s; want %s", query, got, want)
		}
	}
	expect("", `200 OK {"versions":["hone-1","hone-2"]}`)
	r.hone.versionsOf[5] = []string{"hone-1", "hone-2", "hone-3"}
	expect("", `{"versions":["hone-1","hone-2","hone-3"]}`)
	expect("?project=3", `{"versions":["hone-1","hone-2"]}`)
	expect("?project=3.1795467032", `{"versions":["hone-1","hone-2"]}`)
	expect("?project=4", "404 hone does not know project 4: run `hone connect --project 4`")
	expect("?project=x", "400 project must be a number")
	clear(r.hone.versionsOf)
	expect("", `{"versions":[]}`)
}

func TestTrain(t *testing.T) {
	for _, tc := range []struct {
		body   string
		known  []event.ProjectID
		status int
		want   []string
	}{
		{"", []event.ProjectID{3}, 200, []string{"retrain 3"}},
		{`{}`, []event.ProjectID{3}, 200, []string{"retrain 3"}},
		{`{"project":"3.1795467032","annotations":[{"id":1}],"label_config":"<View/>"}`, []event.ProjectID{3, 5}, 200, []string{"retrain 3"}},
		{`{"project":{"id":5}}`, []event.ProjectID{3, 5}, 200, []string{"retrain 5"}},
		{`{"project":7}`, []event.ProjectID{3}, 404, nil},
		{"", []event.ProjectID{3, 5}, 400, nil},
		{"", nil, 404, nil},
		{`nonsense`, []event.ProjectID{3}, 400, nil},
	} {
		r := newRig(t)
		clear(r.hone.versionsOf)
		for _, p := range tc.known {
			r.hone.versionsOf[p] = nil
		}
		got := call(t, http.MethodPost, r.serve(t)+"/train", tc.body)
		if got.status != tc.status || !slices.Equal(r.memory.lines(t), tc.want) {
			t.Errorf("%q: %s, stored %q", tc.body, got, r.memory.lines(t))
		}
	}
}

func TestTrainThatCannotBeStoredSaysSo(t *testing.T) {
	r := newRig(t)
	url := r.serve(t)
	r.memory.failWith(errDisk)
	for path, body := range map[string]string{"/train": "", "/webhook": recorded(t, "backend-start-training-choices")} {
		if got := call(t, http.MethodPost, url+path, body); got.status != 503 || !strings.Contains(got.line, "try again once its storage works") {
			t.Errorf("%s: %s", path, got)
		}
	}
}
