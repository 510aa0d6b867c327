package webhook

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
)

func TestWebhookStoresWhatLabelStudioSaid(t *testing.T) {
	for name, want := range map[string][]string{
		"webhook-annotation-created-choices":         {"changed 3 task 7 annotation 8 of 7"},
		"webhook-annotation-created-skipped-choices": {"changed 3 task 8 annotation 9 of 8 skipped"},
		"webhook-annotation-updated-choices":         {"changed 3 task 7 annotation 8 of 7"},
		"webhook-annotations-created-bulk-choices":   {"changed 3 task 7 task 8 annotation 13 of 7 annotation 14 of 8"},
		"webhook-annotations-deleted-choices":        {"changed 3 -annotation 8"},
		"webhook-annotations-deleted-bulk-choices":   {"changed 3 -annotation 13 -annotation 9 -annotation 14"},
		"webhook-tasks-created-choices":              {"changed 3 task 7 task 8 task 9 task 10"},
		// Label Studio does not send the annotations that came with the tasks.
		"webhook-tasks-created-with-annotations-choices": {"changed 3 task 11 task 12", "reconcile 3"},
		"webhook-tasks-deleted-choices":                  {"changed 3 -task 10"},
		"webhook-project-updated-choices":                {"changed 3"},
		"webhook-org-project-deleted-choices-multi":      {"changed 4 gone"},
		"webhook-annotation-created-no-payload":          {"reconcile 0"},
		"backend-start-training-choices":                 {"changed 3", "retrain 3"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			got := call(t, http.MethodPost, r.serve(t)+"/webhook", recorded(t, name))
			if got.status != http.StatusOK || got.body != `{"status":"ok"}` {
				t.Fatalf("answer: %s", got)
			}
			if diff := cmp.Diff(want, r.memory.lines(t)); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWebhookKeepsContent(t *testing.T) {
	r := newRig(t)
	call(t, http.MethodPost, r.serve(t)+"/webhook", recorded(t, "webhook-annotation-created-choices"))
	c, ok := r.memory.events(t)[0].(*event.Changed)
	if !ok {
		t.Fatal("not a change")
	}
	if got := string(c.Tasks[0].Data); got != `{"text":"sample text 0"}` {
		t.Errorf("task data: %s", got)
	}
	if got := string(c.Annotations[0].Result); !strings.Contains(got, `["Positive"]`) {
		t.Errorf("result: %s", got)
	}
	if c.Source != event.FromWebhook || c.At.IsZero() || !strings.HasPrefix(c.LabelConfig, "<View>") {
		t.Errorf("source %q, at %v, config %q", c.Source, c.At, c.LabelConfig)
	}
}

func TestWebhookRefuses(t *testing.T) {
	good := recorded(t, "webhook-annotation-created-choices")
	for _, tc := range []struct {
		name, body string
		header     []string
		status     int
		says       string
		reason     string
	}{
		{"empty", " ", nil, 400, "empty", refusedMalformed},
		{"not JSON", "action=ANNOTATION_CREATED", nil, 400, "not JSON", refusedMalformed},
		{"cut JSON", good[:len(good)/2], nil, 400, "not JSON", refusedMalformed},
		{"a list", "[" + good + "]", nil, 400, "not a JSON object", refusedMalformed},
		{"no action", `{"project":{"id":3}}`, nil, 400, "action is missing", refusedMalformed},
		{"action of a wrong type", `{"action":5}`, nil, 400, "action", refusedMalformed},
		{"no annotation", `{"action":"ANNOTATION_CREATED","project":{"id":3}}`, nil, 400, "annotation is missing", refusedMalformed},
		{"annotation of a wrong type", `{"action":"ANNOTATION_CREATED","project":{"id":3},"annotation":"x"}`, nil, 400, "annotation", refusedMalformed},
		{"project of a wrong type", `{"action":"PROJECT_UPDATED","project":[3]}`, nil, 400, "project", refusedMalformed},
		{"deep nesting", `{"action":"ANNOTATION_CREATED","project":{"id":3},"annotation":{"id":1,"task":1,"result":` + strings.Repeat("[", 100_000), nil, 400, "body", refusedMalformed},
		{"too large", `{"action":"` + strings.Repeat("A", 9<<10) + `"}`, nil, 200, "larger than the limit of 8192 bytes", refusedTooLarge},
		{"a form", good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "Content-Type: application/json", refusedContentType},
		{"no type", good, []string{"Content-Type", ""}, 415, "Content-Type: application/json", refusedContentType},
		{"compressed", good, []string{"Content-Encoding", "gzip"}, 415, "compressed", refusedContentType},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, set(func(o *Options) {
				o.MaxWebhookBytes = 8 << 10
				if tc.name == "deep nesting" {
					o.MaxWebhookBytes = 1 << 20
				}
			}))
			got := call(t, http.MethodPost, r.serve(t)+"/webhook", tc.body, tc.header...)
			if got.status != tc.status || !strings.Contains(got.body, tc.says) || !strings.HasPrefix(got.body, `{"error":"`) {
				t.Errorf("answer: %s; want %d and %q", got, tc.status, tc.says)
			}
			if n := r.count(t, "hone_webhook_refused_total", "reason", tc.reason); n != 1 {
				t.Errorf("refused for %q: %v, want 1", tc.reason, n)
			}
			for _, l := range r.memory.lines(t) {
				if l != "reconcile 0 full" {
					t.Errorf("stored %q", l)
				}
			}
		})
	}
}

func TestWebhookTooLargeWithoutLength(t *testing.T) {
	r := newRig(t, set(func(o *Options) { o.MaxWebhookBytes = 100 }))
	url := r.serve(t) + "/webhook"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, struct{ *strings.Reader }{strings.NewReader(strings.Repeat(" ", 500))})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if req.ContentLength != 0 || resp.StatusCode != http.StatusOK { // dropped, and no failure that Label Studio counts
		t.Errorf("length %d: %s", req.ContentLength, resp.Status)
	}
}

func TestUnknownActionIsCountedOnly(t *testing.T) {
	r := newRig(t)
	got := call(t, http.MethodPost, r.serve(t)+"/webhook", `{"action":"REVIEW_CREATED","project":{"id":3}}`)
	if got.status != http.StatusOK {
		t.Errorf("answer: %s", got)
	}
	if n := r.count(t, "hone_webhook_received_total", "action", "unknown"); n != 1 {
		t.Errorf("counted %v", n)
	}
	if n := len(r.memory.events(t)); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestSecondHookOfAnEventIsNotStored(t *testing.T) {
	r := newRig(t)
	url := r.serve(t) + "/webhook"
	body := recorded(t, "webhook-annotation-created-choices")
	for range 2 {
		if got := call(t, http.MethodPost, url, body); got.status != http.StatusOK {
			t.Fatalf("answer: %s", got)
		}
	}
	if n := len(r.memory.events(t)); n != 1 {
		t.Errorf("%d events stored, want 1", n)
	}
	if n := r.count(t, "hone_webhook_duplicates_total"); n != 1 {
		t.Errorf("%v duplicates counted, want 1", n)
	}
	if n := r.count(t, "hone_webhook_received_total", "action", "ANNOTATION_CREATED"); n != 2 {
		t.Errorf("%v received, want 2", n)
	}
	// Said again, but not the same: an edit must get through.
	call(t, http.MethodPost, url, strings.Replace(body, "Positive", "Negative", 1))
	if n := len(r.memory.events(t)); n != 2 {
		t.Errorf("%d events stored, want 2", n)
	}
}

func TestWhatMayBeSaidTwiceIsStoredTwice(t *testing.T) {
	for _, name := range []string{"backend-start-training-choices", "webhook-annotation-created-no-payload", "webhook-project-updated-choices"} {
		r := newRig(t)
		url := r.serve(t) + "/webhook"
		call(t, http.MethodPost, url, recorded(t, name))
		once := len(r.memory.events(t))
		call(t, http.MethodPost, url, recorded(t, name))
		if n := len(r.memory.events(t)); once == 0 || n != 2*once {
			t.Errorf("%s: %d events, then %d", name, once, n)
		}
	}
}

func TestFailedEventIsNoDuplicate(t *testing.T) {
	r := newRig(t)
	url := r.serve(t) + "/webhook"
	body := recorded(t, "webhook-annotation-created-choices")
	r.memory.failWith(errDisk)
	if got := call(t, http.MethodPost, url, body); got.status != http.StatusServiceUnavailable {
		t.Fatalf("answer: %s", got)
	}
	r.memory.failWith(nil)
	if got := call(t, http.MethodPost, url, body); got.status != http.StatusOK {
		t.Fatalf("answer: %s", got)
	}
	if !slices.Contains(r.memory.lines(t), "changed 3 task 7 annotation 8 of 7") {
		t.Errorf("stored: %q", r.memory.lines(t))
	}
}

func TestManySendersAtOnce(t *testing.T) {
	r := newRig(t)
	url := r.serve(t) + "/webhook"
	body := recorded(t, "webhook-annotation-created-choices")
	const senders, each = 16, 10
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				id := string(rune('a'+i)) + string(rune('a'+j))
				if got := call(t, http.MethodPost, url, strings.Replace(body, "sample text 0", "text "+id, 1)); got.status != http.StatusOK {
					t.Errorf("answer: %s", got)
				}
			}
		})
	}
	wg.Wait()
	texts := map[string]bool{}
	for _, e := range r.memory.events(t) {
		if c, ok := e.(*event.Changed); ok {
			texts[string(c.Tasks[0].Data)] = true
		}
	}
	if len(texts) != senders*each {
		t.Errorf("%d different events stored, want %d", len(texts), senders*each)
	}
}

func TestPanicBecomes500(t *testing.T) {
	r := newRig(t)
	r.hone.predict = nil
	r.Server.o.Predictor = nil // as a broken build would
	got := call(t, http.MethodPost, r.serve(t)+"/predict", `{"tasks":[{"data":{"text":"x"}}]}`)
	if got.status != http.StatusInternalServerError || !strings.Contains(got.body, "failed unexpectedly") {
		t.Errorf("answer: %s", got)
	}
	if n := r.count(t, "hone_http_panics_total"); n != 1 {
		t.Errorf("%v panics counted", n)
	}
}

func TestPanicInStorageIs503(t *testing.T) {
	r := newRig(t)
	r.Server.publisher.publisher = nil
	got := call(t, http.MethodPost, r.serve(t)+"/webhook", recorded(t, "webhook-annotation-created-choices"))
	if got.status != http.StatusServiceUnavailable {
		t.Errorf("answer: %s", got)
	}
}

func TestNothingSentIsLogged(t *testing.T) {
	r := newRig(t, guarded(access.Options{Secret: "the-secret", Basic: access.Pair{User: "ls", Password: "the password"}}))
	url := r.serve(t)
	body := recorded(t, "webhook-annotation-created-choices")
	call(t, http.MethodPost, url+"/webhook?token=in-the-query", body, "X-Hone-Secret", "the-secret")
	call(t, http.MethodPost, url+"/webhook", body, "X-Hone-Secret", "a wrong secret")
	call(t, http.MethodPost, url+"/webhook", body[:2000], "X-Hone-Secret", "the-secret")
	r.memory.failWith(errDisk)
	call(t, http.MethodPost, url+"/webhook", body, "X-Hone-Secret", "the-secret", "User-Agent", "x")
	call(t, http.MethodPost, url+"/setup", recorded(t, "backend-setup-choices"), "Authorization", "Basic bHM6dGhlIHBhc3N3b3Jk")
	log := r.logged.String()
	if !strings.Contains(log, "/webhook") {
		t.Fatalf("requests are not logged: %q", log)
	}
	for _, s := range []string{"not-a-real-token", "secret\"", "a wrong secret", "the-secret", "the password", "sample text", "in-the-query", "bHM6"} {
		if strings.Contains(log, s) {
			t.Errorf("%q is in the log:\n%s", s, log)
		}
	}
}
