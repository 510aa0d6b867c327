package lstest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

type backend struct {
	id                     int64
	project                *project
	url, title             string
	state, message         string
	version                string
	interactive            bool
	authMethod, user, pass string
}

func (s *Server) backendRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/ml/{$}", s.withAccount(s.listBackends))
	m.HandleFunc("POST /api/ml/{$}", s.withAccount(s.addBackend))
	m.HandleFunc("GET /api/ml/{id}", s.withAccount(s.inBackend(func(_ *apiRequest, b *backend) apiResult {
		s.updateState(b)
		return okResult(s.backendRow(b))
	})))
	m.HandleFunc("PATCH /api/ml/{id}", s.withAccount(s.inBackend(s.patchBackend)))
	m.HandleFunc("DELETE /api/ml/{id}", s.withAccount(s.inBackend(s.deleteBackend)))
	m.HandleFunc("POST /api/ml/{id}/train", s.withAccount(s.inBackend(s.trainBackend)))
}

// inBackend runs without the lock: backends are called.
func (s *Server) inBackend(h func(*apiRequest, *backend) apiResult) apiAction {
	return func(r *apiRequest) apiResult {
		var b *backend
		s.locked(func() { b = s.backends[r.pathID()] })
		if b == nil {
			return notFound("MLBackend")
		}
		return h(r, b)
	}
}

func (s *Server) backendRow(b *backend) jsonObject {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := jsonObject{
		"id": b.id, "project": b.project.id, "url": b.url, "title": b.title, "state": b.state, "model_version": b.version,
		"is_interactive": b.interactive, "auth_method": b.authMethod, "basic_auth_user": b.user, "basic_auth_pass_is_set": b.pass != "",
		"error_message": nil, "extra_params": nil, "auto_update": true,
	}
	if b.message != "" {
		row["error_message"] = b.message
	}
	return row
}

// callBackend sends a request to a backend; the lock is not held.
func (s *Server) callBackend(b *backend, method, path string, body any, limit time.Duration) (jsonObject, error) {
	var as backend // it may be changed meanwhile
	s.locked(func() { as = *b })
	b = &as
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if body == nil {
		raw = nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	address, headers := strings.TrimRight(b.url, "/")+path, map[string]string{}
	if b.user != "" && b.pass != "" { // wins over the URL's
		headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(b.user+":"+b.pass))
		address = withoutUserInfo(address)
	}
	got, err := s.sendRequest(ctx, method, address, "heartex/1.23.2", raw, headers)
	if err != nil {
		return nil, err
	}
	if got.status < 200 || got.status > 299 {
		return nil, &statusError{got.status, got.reason, strings.TrimRight(b.url, "/") + path}
	}
	var o jsonObject
	if err := json.Unmarshal(got.body, &o); err != nil {
		return nil, fmt.Errorf("the answer is no JSON object: %w", err)
	}
	return o, nil
}

// statusError quotes the reason phrase, and the URL with its credentials, as Label
// Studio does.
type statusError struct {
	status      int
	reason, url string
}

func (e *statusError) Error() string {
	whose := "Server"
	if e.status < 500 {
		whose = "Client"
	}
	return fmt.Sprintf("%d %s Error: %s for url: %s", e.status, whose, e.reason, e.url)
}

func (s *Server) callHealth(b *backend) error {
	_, err := s.callBackend(b, http.MethodGet, "/health", nil, time.Second)
	return err
}

func (s *Server) callSetup(b *backend) (version string, err error) {
	var body jsonObject
	s.locked(func() {
		body = jsonObject{"project": s.projectUID(b.project), "schema": b.project.config, "hostname": s.URL, "access_token": b.project.owner.legacy, "extra_params": nil}
	})
	o, err := s.callBackend(b, http.MethodPost, "/setup", body, 3*time.Second)
	version, _ = o["model_version"].(string)
	return version, err
}

func (s *Server) updateState(b *backend) (version string, ready bool) {
	state, message := "CO", ""
	if s.callHealth(b) != nil {
		state = "DI"
	} else if v, err := s.callSetup(b); err != nil {
		state, message = "ER", err.Error()
	} else {
		version = v
	}
	s.locked(func() {
		b.state, b.message = state, message
		if state == "CO" {
			b.version = version
		}
	})
	return version, state == "CO"
}

// validate makes the checks that come before a backend is added or changed.
func (s *Server) validate(b *backend) *apiResult {
	if bad := refusedBackend(b.url); bad != nil {
		return bad
	}
	err := s.callHealth(b)
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		return new(unresolvedHost(unknown.Name))
	}
	var answered *statusError
	if errors.As(err, &answered) && answered.status == http.StatusUnauthorized {
		return new(invalidField("non_field_errors", "Able to connect to ML Server, but authentication parameters were either not provided or are incorrect."))
	}
	if err != nil {
		return new(invalidField("non_field_errors", fmt.Sprintf("Can't connect to ML backend %s, health check failed. Make sure it is up and your firewall is properly configured. Additional info: %v", b.url, err)))
	}
	if _, err := s.callSetup(b); err != nil {
		return new(invalidField("non_field_errors", fmt.Sprintf("Successfully connected to %s but it doesn't look like a valid ML backend. Reason: %v.", b.url, err)))
	}
	return nil
}

type backendBody struct {
	Project     *int64  `json:"project"`
	URL         *string `json:"url"`
	Title       *string `json:"title"`
	Interactive *bool   `json:"is_interactive"`
	AuthMethod  *string `json:"auth_method"`
	User        *string `json:"basic_auth_user"`
	Pass        *string `json:"basic_auth_pass"`
}

func (b *backend) patch(v backendBody) {
	setIfGiven(&b.url, v.URL)
	setIfGiven(&b.title, v.Title)
	setIfGiven(&b.interactive, v.Interactive)
	setIfGiven(&b.authMethod, v.AuthMethod)
	setIfGiven(&b.user, v.User)
	setIfGiven(&b.pass, v.Pass)
}

func (s *Server) listBackends(r *apiRequest) apiResult {
	var all []*backend
	var found bool
	s.locked(func() {
		var p *project
		p, found = s.projects[int64(intParam(r.URL.Query(), "project", 0))]
		all = sortedRows(s.backends, func(b *backend) bool { return b.project == p })
	})
	if !found {
		return notFound("Project")
	}
	rows := []jsonObject{}
	for _, b := range all {
		s.updateState(b)
		rows = append(rows, s.backendRow(b))
	}
	return okResult(rows)
}

func (s *Server) addBackend(r *apiRequest) apiResult {
	var v backendBody
	if bad := r.decodeBody(&v); bad != nil {
		return *bad
	}
	b := &backend{state: "DI", authMethod: "NONE", title: "default"}
	s.locked(func() {
		if v.Project != nil {
			b.project = s.projects[*v.Project]
		}
	})
	switch {
	case b.project == nil:
		return invalidField("project", "Invalid pk - object does not exist.")
	case v.URL == nil:
		return invalidField("url", "This field is required.")
	}
	b.patch(v)
	if bad := s.validate(b); bad != nil {
		return *bad
	}
	s.locked(func() {
		b.id = s.nextRowID("backend")
		s.backends[b.id] = b
		s.autoHook(b)
	})
	s.updateState(b)
	s.locked(func() {
		if b.project.showPredictions && b.project.modelVersion == "" {
			b.project.modelVersion = b.title
		}
	})
	return apiResult{status: http.StatusCreated, body: s.backendRow(b)}
}

// autoHook makes the webhook that Label Studio adds by itself: all actions, no headers, the
// credentials of the URL. It stays when the backend is deleted. For a URL that no webhook may
// have it makes none, and reports nothing.
func (s *Server) autoHook(b *backend) {
	address := strings.TrimRight(b.url, "/") + "/webhook"
	if !validURL(address) {
		return
	}
	for _, h := range s.hooks {
		if h.project == b.project && h.url == address {
			return
		}
	}
	h := &webhook{id: s.nextRowID("hook"), project: b.project, url: address, payload: true, all: true, active: true, actions: []string{}, headers: map[string]string{}}
	s.hooks[h.id] = h
}

func (s *Server) patchBackend(r *apiRequest, b *backend) apiResult {
	var v backendBody
	if bad := r.decodeBody(&v); bad != nil {
		return *bad
	}
	if v.URL == nil || v.Project == nil {
		return failureResult(http.StatusInternalServerError, "'url'")
	}
	var changed backend
	s.locked(func() { changed = *b }) // a listing may be writing its state
	changed.patch(v)
	if bad := s.validate(&changed); bad != nil {
		return *bad
	}
	s.locked(func() { b.patch(v) })
	s.updateState(b)
	s.updateState(b)
	return okResult(s.backendRow(b))
}

func (s *Server) deleteBackend(_ *apiRequest, b *backend) apiResult {
	s.updateState(b)
	s.locked(func() {
		delete(s.backends, b.id)
		if b.project.modelVersion == b.title {
			b.project.modelVersion = ""
		}
	})
	return noContent()
}

func (s *Server) trainBackend(_ *apiRequest, b *backend) apiResult {
	var body jsonObject
	s.locked(func() { body = jsonObject{"action": "START_TRAINING", "project": s.projectRow(b.project)} })
	_, err := s.callBackend(b, http.MethodPost, "/webhook", body, 100*time.Second)
	s.locked(func() {
		if b.state = "TR"; err != nil {
			b.state, b.message = "ER", err.Error()
		}
	})
	return okResult(jsonObject{"status": "ok"})
}
