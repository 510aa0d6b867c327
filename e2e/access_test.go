//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// newOpenHone is a hone that others than this machine reach too, so that it asks
// everybody for a credential.
func newOpenHone(t *testing.T, env ...string) *hone {
	t.Helper()
	h := newHone(t, env...)
	h.listen = h.addr[strings.LastIndexByte(h.addr, ':'):]
	return h
}

func (h *hone) data() string { return filepath.Join(h.dir, "data") }

// file is the line of a file in the data directory, "" when it is not there.
func (h *hone) file(name string) string {
	b, err := os.ReadFile(filepath.Join(h.data(), name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (h *hone) secret() string { return h.file("secret") }
func (h *hone) admin() string  { return h.file("admin-token") }

// setting is what hone's environment says.
func (h *hone) setting(name string) (value string) {
	for _, kv := range h.env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// get asks hone's own API, with the token where there is one.
func (h *hone) get(path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url()+path, nil)
	if err != nil {
		return nil, err
	}
	if token := h.admin(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	} else if user := h.setting("BASIC_AUTH_USER"); user != "" { // a hone without tokens
		req.SetBasicAuth(user, h.setting("BASIC_AUTH_PASS"))
	}
	return http.DefaultClient.Do(req)
}

// call sends a request as it is and returns the answer.
func (h *hone) call(method, path, body string, header ...string) (int, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url()+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// forget is a webhook that would take a label away if it were believed.
func forget(project, annotation int) string {
	return fmt.Sprintf(`{"action":"ANNOTATIONS_DELETED","annotations":[{"id":%d}],"project":{"id":%d}}`, annotation, project)
}

// refused is how many calls of Label Studio this run of hone has refused for lack
// of the secret.
func (h *hone) refused() float64 {
	h.t.Helper()
	resp, err := h.get("/metrics")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		h.t.Fatalf("/metrics: %d, %v", resp.StatusCode, err)
	}
	var n float64
	for line := range bytes.Lines(b) {
		_, _ = fmt.Sscanf(string(line), `hone_webhook_refused_total{reason="auth"} %g`, &n)
	}
	return n
}

// lsHook is a webhook as Label Studio lists it.
type lsHook struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
}

// carries reports whether the hook sends the secret, in its header or its address.
func (l lsHook) carries(secret string) bool {
	return slices.Contains(values(l.Headers), secret) || strings.Contains(l.URL, ":"+secret+"@")
}

func (s *studio) hooks(project int) []lsHook {
	s.t.Helper()
	var hooks []lsHook
	s.do("GET", fmt.Sprintf("/api/webhooks/?project=%d", project), nil, &hooks)
	return hooks
}

// backends lists a project's backends, which makes Label Studio call each one.
func (s *studio) backends(project int) []lsBackend {
	s.t.Helper()
	var bs []lsBackend
	s.do("GET", fmt.Sprintf("/api/ml?project=%d", project), nil, &bs)
	return bs
}

// dropDoubles leaves one backend. Label Studio repeats a whole request when its
// SQLite was locked, and adds a second one then. Tasks and annotations may come
// double too.
func (s *studio) dropDoubles(project int) {
	s.t.Helper()
	s.deleteBackends(project, 1)
}

// deleteBackends deletes all backends but the first few. A list of backends saves each,
// so one that is being made while a backend is deleted, by hone or somebody else, brings
// that back: the deletion counts once three lists agree.
func (s *studio) deleteBackends(project, left int) {
	s.t.Helper()
	agree := 0
	until(s.t, time.Minute, fmt.Sprintf("%d backends are left", left), func() bool {
		agree++
		if bs := s.backends(project); len(bs) > left {
			agree = 0
			for _, b := range bs[left:] {
				s.do("DELETE", fmt.Sprintf("/api/ml/%d", b.ID), nil, nil, http.StatusNoContent, http.StatusNotFound)
			}
		}
		return agree >= 3
	})
}

// annotations are the ids that Label Studio has.
func (s *studio) annotations(project int) []int {
	s.t.Helper()
	var page struct {
		Tasks []struct{ Annotations []struct{ ID int } }
	}
	s.do("GET", fmt.Sprintf("/api/tasks?project=%d&page_size=1000&fields=all", project), nil, &page)
	var ids []int
	for _, task := range page.Tasks {
		for _, a := range task.Annotations {
			ids = append(ids, a.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// awaitSigned waits until the project's registration is one backend that works and
// one webhook, both with the secret.
func awaitSigned(t *testing.T, s *studio, project int, secret string) {
	t.Helper()
	var hooks []lsHook
	var backends []lsBackend
	deadline := time.Now().Add(90 * time.Second)
	for time.Now().Before(deadline) {
		hooks = s.hooks(project)
		if len(hooks) == 1 && hooks[0].carries(secret) {
			if backends = s.backends(project); len(backends) == 1 && backends[0].State == "CO" {
				return
			}
		}
		pause()
	}
	t.Fatalf("project %d never carried the secret: webhooks %+v, backends %+v", project, hooks, backends)
}

// basic is the header of HTTP Basic authentication.
func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}
