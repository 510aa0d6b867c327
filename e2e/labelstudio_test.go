//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// studio talks to the real Label Studio as its interface and its users do. It
// deliberately does not use hone's own client: a mistake there must not hide here.
type studio struct {
	t    testing.TB
	url  string
	auth string
	http *http.Client
	// refresh is the personal access token of legacyTokens.
	refresh string
}

func newStudio(t testing.TB) *studio {
	t.Helper()
	u, token := os.Getenv("HONE_LS_URL"), os.Getenv("HONE_LS_TOKEN")
	if u == "" || token == "" {
		t.Fatal("HONE_LS_URL and HONE_LS_TOKEN are not set: run these tests with `make test-e2e`")
	}
	return &studio{t: t, url: u, auth: "Token " + token, http: &http.Client{Timeout: 4 * time.Minute}}
}

// do sends a request and decodes the answer into out; it fails the test unless
// the status is one of want (default: any 2xx).
func (s *studio) do(method, path string, in, out any, want ...int) int {
	s.t.Helper()
	status, body, err := s.try(method, path, in)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	ok := len(want) == 0 && status < 300
	for _, w := range want {
		ok = ok || status == w
	}
	if !ok {
		s.t.Fatalf("%s %s: status %d: %.400s", method, path, status, body)
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			s.t.Fatalf("%s %s: %v in %.400s", method, path, err, body)
		}
	}
	return status
}

func (s *studio) try(method, path string, in any) (int, []byte, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return 0, nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", s.auth)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// attempt is do for a goroutine, with one status that is wanted, again and again while SQLite refuses a write under load.
func (s *studio) attempt(method, path string, in, out any, want int) error {
	for s.t.Context().Err() == nil {
		status, body, err := s.try(method, path, in)
		switch {
		case err != nil:
			return err
		case status >= http.StatusInternalServerError:
			pause()
			continue
		case status != want:
			return fmt.Errorf("%s %s: %d %.300s", method, path, status, body)
		case out == nil:
			return nil
		}
		return json.Unmarshal(body, out)
	}
	return s.t.Context().Err()
}

type lsProject struct {
	ID           int    `json:"id"`
	ModelVersion string `json:"model_version"`
	Sampling     string `json:"sampling"`
}

type lsTask struct {
	ID   int `json:"id"`
	Data struct {
		Text  string `json:"text"`
		Topic string `json:"topic"`
	} `json:"data"`
	Predictions []lsPrediction `json:"predictions"`
}

type lsPrediction struct {
	ID           int     `json:"id"`
	Task         int     `json:"task"`
	Score        float64 `json:"score"`
	ModelVersion string  `json:"model_version"`
}

type lsBackend struct {
	ID           int    `json:"id"`
	URL          string `json:"url"`
	State        string `json:"state"`
	ErrorMessage string `json:"error_message"`
	ModelVersion string `json:"model_version"`
}

// newProject makes a project with tasks that carry their true topic, and
// removes it when the test ends.
func (s *studio) newProject(labelConfig string, tasks []example) int {
	s.t.Helper()
	var p lsProject
	s.do("POST", "/api/projects/", map[string]any{"title": fmt.Sprintf("%.50s", "e2e "+s.t.Name()), "label_config": labelConfig}, &p)
	s.t.Cleanup(func() { _, _, _ = s.tryDetached("DELETE", fmt.Sprintf("/api/projects/%d/", p.ID), nil) })
	s.importTasks(p.ID, tasks)
	return p.ID
}

func (s *studio) importTasks(project int, tasks []example) {
	s.t.Helper()
	for len(tasks) > 0 {
		n := min(2500, len(tasks))
		batch := make([]map[string]any, n)
		for i, e := range tasks[:n] {
			batch[i] = map[string]any{"data": map[string]string{"text": e.Text, "topic": e.Label}}
		}
		s.do("POST", fmt.Sprintf("/api/projects/%d/import", project), batch, nil)
		tasks = tasks[n:]
	}
}

func (s *studio) project(id int) lsProject {
	s.t.Helper()
	var p lsProject
	s.do("GET", fmt.Sprintf("/api/projects/%d/", id), nil, &p)
	return p
}

// connectAsUI does what Settings > Model > Connect Model does.
func (s *studio) connectAsUI(project int, honeURL string) lsBackend {
	s.t.Helper()
	var b lsBackend
	s.do("POST", "/api/ml", map[string]any{
		"project": project, "url": honeURL, "title": "Hone", "is_interactive": true, "auth_method": "NONE", "extra_params": nil,
	}, &b)
	return b
}

// next asks for the next task as the label stream does.
func (s *studio) next(project int) lsTask {
	s.t.Helper()
	var t lsTask
	s.do("GET", fmt.Sprintf("/api/projects/%d/next", project), nil, &t)
	return t
}

func choice(label string) []map[string]any {
	return []map[string]any{{
		"from_name": "topic", "to_name": "text", "type": "choices", "origin": "manual",
		"value": map[string]any{"choices": []string{label}},
	}}
}

// annotate submits an answer and returns the annotation's id.
func (s *studio) annotate(task int, label string) int {
	s.t.Helper()
	var a struct{ ID int }
	s.do("POST", fmt.Sprintf("/api/tasks/%d/annotations/", task), map[string]any{"result": choice(label), "lead_time": 2.5}, &a)
	return a.ID
}

func (s *studio) predictions(project int) []lsPrediction {
	s.t.Helper()
	var ps []lsPrediction
	s.do("GET", fmt.Sprintf("/api/predictions/?project=%d", project), nil, &ps)
	return ps
}

// action runs a Data Manager action on all tasks.
func (s *studio) action(project int, id string) {
	s.t.Helper()
	s.do("POST", "/api/dm/actions?"+url.Values{"id": {id}, "project": {fmt.Sprint(project)}}.Encode(),
		map[string]any{"selectedItems": map[string]any{"all": true, "excluded": []int{}}, "project": fmt.Sprint(project)}, nil)
}

func (s *studio) tryDetached(method, path string, in any) (int, []byte, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(b)) //nolint:noctx // runs after the test's context ended
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", s.auth)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err = io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// personalToken makes a personal access token, the kind with two dots.
func (s *studio) personalToken() string {
	s.t.Helper()
	var out struct{ Token string }
	status := s.do("POST", "/api/token/", map[string]any{}, &out, 201, 409)
	if status == 409 {
		s.t.Fatal("the user has a personal access token already, and Label Studio shows it only once: start from a fresh server")
	}
	s.t.Cleanup(func() {
		_, _, _ = s.tryDetached("POST", "/api/token/blacklist/", map[string]string{"refresh": out.Token})
	})
	if strings.Count(out.Token, ".") != 2 {
		s.t.Fatalf("not a personal access token: %d characters", len(out.Token))
	}
	return out.Token
}
