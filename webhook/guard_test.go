package webhook

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/hone-ml/hone/event"
)

const (
	rightBasic = "Basic bHM6cHc="     // ls:pw
	wrongBasic = "Basic bHM6d3Jvbmc=" // ls:wrong
)

func withSecret(o *Options) { o.Secret = "s3cret" }
func withBasic(o *Options)  { o.BasicUser, o.BasicPass = "ls", "pw" }

func TestWhoMayCallWebhook(t *testing.T) {
	event, train := "webhook-annotation-created-choices", "backend-start-training-choices"
	for _, tc := range []struct {
		name   string
		set    []func(*Options)
		body   string
		header []string
		status int
	}{
		{"open", nil, event, nil, 200},
		{"right secret", []func(*Options){withSecret}, event, []string{"X-Hone-Secret", "s3cret"}, 200},
		{"no secret", []func(*Options){withSecret}, event, nil, 401},
		{"wrong secret", []func(*Options){withSecret}, event, []string{"X-Hone-Secret", "s3cre"}, 401},
		{"secret in another case", []func(*Options){withSecret}, event, []string{"X-Hone-Secret", "S3cret"}, 401},
		{"other header", []func(*Options){withSecret, func(o *Options) { o.SecretHeader = "X-Mine" }}, event, []string{"X-Hone-Secret", "s3cret"}, 401},
		{"named header", []func(*Options){withSecret, func(o *Options) { o.SecretHeader = "X-Mine" }}, event, []string{"X-Mine", "s3cret"}, 200},
		{"Basic auth instead", []func(*Options){withSecret, withBasic}, event, []string{"Authorization", rightBasic}, 200},
		{"wrong Basic auth instead", []func(*Options){withSecret, withBasic}, event, []string{"Authorization", wrongBasic}, 401},
		{"Basic auth that is not configured", []func(*Options){withSecret}, event, []string{"Authorization", "Basic Og=="}, 401},
		{"events without Basic auth, no secret set", []func(*Options){withBasic}, event, nil, 200},
		{"training is open when nothing guards it", []func(*Options){withSecret}, train, nil, 200},
		{"training with Basic auth", []func(*Options){withSecret, withBasic}, train, []string{"Authorization", rightBasic}, 200},
		{"training with wrong Basic auth", []func(*Options){withSecret, withBasic}, train, []string{"Authorization", wrongBasic}, 401},
		{"training without Basic auth", []func(*Options){withBasic}, train, nil, 401},
		{"training with the secret", []func(*Options){withSecret, withBasic}, train, []string{"X-Hone-Secret", "s3cret"}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.set...)
			got := call(t, http.MethodPost, r.serve(t)+"/webhook", recorded(t, tc.body), tc.header...)
			if got.status != tc.status {
				t.Errorf("answer: %s; want %d", got, tc.status)
			}
			stored := slices.ContainsFunc(r.memory.lines(t), func(l string) bool { return !strings.HasPrefix(l, "reconcile") })
			if stored != (tc.status == 200) {
				t.Errorf("stored: %q", r.memory.lines(t))
			}
			if tc.status == 401 {
				if n := r.count(t, "hone_webhook_refused_total", "reason", refusedAuth); n != 1 {
					t.Errorf("%v refusals counted", n)
				}
			}
		})
	}
}

func TestStrangerCannotSayWhatAProjectIs(t *testing.T) {
	r := newRig(t, withSecret)
	call(t, http.MethodPost, r.serve(t)+"/webhook", recorded(t, "backend-start-training-choices"))
	if got := r.memory.lines(t); !slices.Equal(got, []string{"retrain 3"}) {
		t.Errorf("stored: %q", got)
	}
}

func TestUnsignedBodiesAreNotReadAtLength(t *testing.T) {
	r := newRig(t, withSecret)
	long := `{"action":"` + strings.Repeat("A", 2<<20) + `"}`
	if got := call(t, http.MethodPost, r.serve(t)+"/webhook", long); got.status != http.StatusUnauthorized {
		t.Errorf("answer: %s", got)
	}
}

func TestUnsignedEventsAreFoundByReconciling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []event.ProjectID
		r := newRig(t, withSecret, func(o *Options) {
			o.OnUnsigned = func(_ context.Context, p event.ProjectID) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, p)
			}
		})
		body := recorded(t, "webhook-annotation-created-choices")
		other := strings.ReplaceAll(strings.Replace(body, `"project": 3`, `"project": 99`, -1), `"project": {"id": 3`, `"project": {"id": 99`)
		r.direct(http.MethodPost, "/webhook", other)
		synctest.Wait()
		if n := len(r.memory.events(t)); n != 0 || strings.Contains(r.logged.String(), "without the secret") {
			t.Fatalf("a project hone does not know led to %d events; log: %s", n, r.logged)
		}
		r.direct(http.MethodPost, "/webhook", body)
		synctest.Wait() // the first one is paid for at once
		for range 50 {
			if w := r.direct(http.MethodPost, "/webhook", body); w.Code != http.StatusUnauthorized {
				t.Fatalf("answer: %d %s", w.Code, w.Body)
			}
		}
		synctest.Wait()
		if n := len(r.memory.events(t)); n != 1 {
			t.Fatalf("%d reconciles at once", n)
		}
		time.Sleep(3 * reconcileSpacing) // what came after the first one is found by a second
		synctest.Wait()
		if got := r.memory.lines(t); !slices.Equal(got, []string{"reconcile 3 full", "reconcile 3 full"}) {
			t.Errorf("stored: %q", got)
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(told, []event.ProjectID{3, 3}) {
			t.Errorf("told: %v", told)
		}
	})
}

func TestWhoMayCallTheBackend(t *testing.T) {
	r := newRig(t, withBasic)
	url := r.serve(t)
	heartex := []string{"User-Agent", "heartex/1.23.2"}
	for _, tc := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{"GET", "/", nil, 200},
		{"GET", "/health", nil, 200},
		{"HEAD", "/health", nil, 200},
		{"GET", "/health", append([]string{"Authorization", rightBasic}, heartex...), 200},
		{"GET", "/health", heartex, 401},
		{"GET", "/health", append([]string{"Authorization", wrongBasic}, heartex...), 401},
		{"GET", "/versions", nil, 401},
		{"GET", "/versions", []string{"Authorization", rightBasic}, 200},
		{"POST", "/setup", nil, 401},
		{"POST", "/setup", []string{"Authorization", wrongBasic}, 401},
		{"POST", "/setup", []string{"Authorization", "Basic !!!"}, 401},
		{"POST", "/setup", []string{"Authorization", rightBasic}, 200},
		{"POST", "/predict", nil, 401},
		{"POST", "/predict", []string{"Authorization", rightBasic}, 200},
		{"POST", "/train", nil, 401},
		{"POST", "/train", []string{"Authorization", rightBasic}, 200},
		// The webhook's secret opens only the webhook.
		{"POST", "/train", []string{"X-Hone-Secret", "s3cret"}, 401},
	} {
		body := ""
		if tc.method == "POST" {
			body = recorded(t, "backend-"+map[string]string{"/setup": "setup", "/predict": "predict", "/train": "predict"}[tc.path]+"-choices")
		}
		got := call(t, tc.method, url+tc.path, body, tc.header...)
		if got.status != tc.status {
			t.Errorf("%s %s %v: %s; want %d", tc.method, tc.path, tc.header, got, tc.status)
		}
		if challenge := got.header.Get("WWW-Authenticate"); (tc.status == 401) != (challenge != "") {
			t.Errorf("%s %s %v: WWW-Authenticate %q", tc.method, tc.path, tc.header, challenge)
		}
		if tc.status == 401 && !strings.Contains(got.line, "BASIC_AUTH_USER") {
			t.Errorf("%s %s: the status line does not say what to do: %s", tc.method, tc.path, got.line)
		}
	}
	if len(r.hone.setups) != 1 {
		t.Errorf("%d setups, want 1", len(r.hone.setups))
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := New(Options{BasicUser: "ls", SecretHeader: "X Bad"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Publisher", "Predictor", "Projects", "Adopter", "Basic auth", `"X Bad"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

// A backend added with the wrong password fails in Label Studio; hone's operator
// should hear of it too, but not once for every call.
func TestARefusedCallerIsLoggedOnceAMinute(t *testing.T) {
	logger, said := logtest.NewNullLogger()
	r := newRig(t, withBasic, func(o *Options) { o.Logger = logrus.NewEntry(logger) })
	url := r.serve(t)
	for range 3 {
		if got := call(t, http.MethodPost, url+"/setup", recorded(t, "backend-setup-choices"), "Authorization", wrongBasic); got.status != 401 {
			t.Fatalf("answer: %s", got)
		}
	}
	if n := len(said.AllEntries()); n != 1 {
		t.Fatalf("%d lines were logged, want one", n)
	}
	line, err := said.LastEntry().String()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"level=warning", "wrong user or password", "Settings > Model", "path=/setup"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q does not say %q", line, want)
		}
	}
	if strings.Contains(line, "wrong\"") || strings.Contains(line, wrongBasic) {
		t.Errorf("the password is in %q", line)
	}
}
