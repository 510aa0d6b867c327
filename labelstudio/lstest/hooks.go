package lstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type webhook struct {
	id                   int64
	project              *project
	url                  string
	payload, all, active bool
	actions              []string
	headers              map[string]string
	failures             int // in a row
}

// Delivery is one attempt to send a webhook.
type Delivery struct {
	URL, Action string
	Body        []byte
	// Status is the receiver's answer; 0 when there was none.
	Status int
	// Err is why there was none: it timed out, refused, or DropWebhooks lost it.
	Err error
}

// ErrDropped marks a delivery that DropWebhooks lost.
var ErrDropped = errors.New("dropped by the test")

// Deliveries returns every attempt so far, in order.
func (s *Server) Deliveries() (all []Delivery) {
	s.locked(func() { all = append(all, s.deliveries...) })
	return all
}

func (s *Server) hookRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/webhooks/{$}", s.runAction(func(r *apiRequest) apiResult {
		project := int64(intParam(r.URL.Query(), "project", 0))
		rows := []jsonObject{}
		for _, h := range sortedRows(s.hooks, func(h *webhook) bool { return project == 0 || h.project.id == project }) {
			rows = append(rows, s.hookRow(h))
		}
		return okResult(rows)
	}))
	m.HandleFunc("POST /api/webhooks/{$}", s.runAction(s.createHook))
	m.HandleFunc("PATCH /api/webhooks/{id}/{$}", s.runAction(s.patchHook))
	m.HandleFunc("DELETE /api/webhooks/{id}/{$}", s.runAction(func(r *apiRequest) apiResult {
		if _, found := s.hooks[r.pathID()]; !found {
			return notFound("Webhook")
		}
		delete(s.hooks, r.pathID())
		return noContent()
	}))
}

// hookRow is a webhook as the API shows it; the lock is held.
func (s *Server) hookRow(h *webhook) jsonObject {
	row := jsonObject{
		"id": h.id, "organization": 1, "project": h.project.id, "url": h.url, "send_payload": h.payload,
		"send_for_all_actions": h.all, "headers": h.headers, "is_active": h.active, "actions": h.actions,
	}
	if s.hookLimit > 0 {
		row["consecutive_failures"] = h.failures
	}
	return row
}

type hookBody struct {
	Project int64              `json:"project"`
	URL     *string            `json:"url"`
	Payload *bool              `json:"send_payload"`
	All     *bool              `json:"send_for_all_actions"`
	Active  *bool              `json:"is_active"`
	Actions []string           `json:"actions"`
	Headers *map[string]string `json:"headers"`
}

func (h *webhook) patch(b hookBody) {
	activated := b.Active != nil && *b.Active && !h.active
	moved := b.URL != nil && *b.URL != h.url || b.Headers != nil && !maps.Equal(*b.Headers, h.headers)
	if activated || moved {
		h.failures = 0
	}
	setIfGiven(&h.url, b.URL)
	setIfGiven(&h.payload, b.Payload)
	setIfGiven(&h.all, b.All)
	setIfGiven(&h.active, b.Active)
	setIfGiven(&h.headers, b.Headers)
	h.actions = b.Actions // not sent means none
	if h.actions == nil {
		h.actions = []string{}
	}
}

func (s *Server) createHook(r *apiRequest) apiResult {
	var b hookBody
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	p, found := s.projects[b.Project]
	if !found {
		return failureResult(http.StatusNotFound, "Project not found.")
	}
	if b.URL == nil {
		return invalidField("url", "This field is required.")
	}
	if !validURL(*b.URL) {
		return invalidField("url", "Enter a valid URL.")
	}
	if b.Headers != nil && len(*b.Headers) > 10 {
		return invalidField("headers", "Too many headers. Maximum number of headers is 10.")
	}
	h := &webhook{id: s.nextRowID("hook"), project: p, payload: true, all: true, active: true, headers: map[string]string{}}
	h.patch(b)
	s.hooks[h.id] = h
	return apiResult{status: http.StatusCreated, body: s.hookRow(h)}
}

func (s *Server) patchHook(r *apiRequest) apiResult {
	h, found := s.hooks[r.pathID()]
	if !found {
		return notFound("Webhook")
	}
	var b hookBody
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	if b.URL != nil && !validURL(*b.URL) {
		return invalidField("url", "Enter a valid URL.")
	}
	h.patch(b)
	return okResult(s.hookRow(h))
}

// webhookEvent is a webhook to send, its receivers chosen when it happened.
type webhookEvent struct {
	action string
	body   []byte
	to     []webhook
}

// newEvent builds a webhook's event from the current state; the lock is held.
func (s *Server) newEvent(p *project, action string, fields jsonObject) *webhookEvent {
	e := &webhookEvent{action: action}
	for _, h := range sortedRows(s.hooks, func(h *webhook) bool { return h.project == p && h.active }) {
		if h.all || slices.Contains(h.actions, action) {
			e.to = append(e.to, *h)
		}
	}
	if len(e.to) == 0 {
		return nil
	}
	fields["action"], fields["project"] = action, s.projectRow(p)
	e.body, _ = json.Marshal(fields)
	return e
}

// deliver sends an event to one webhook after another: one attempt of one second each,
// whatever they answer. The lock is not held, since a receiver may call the server.
func (s *Server) deliver(e *webhookEvent) {
	if e == nil {
		return
	}
	for _, h := range e.to {
		d := Delivery{URL: h.url, Action: e.action, Body: e.body}
		if !h.payload {
			d.Body, _ = json.Marshal(jsonObject{"action": e.action})
		}
		var drop bool
		var timeout time.Duration
		s.locked(func() {
			timeout = s.hookTimeout
			if drop = s.dropHooks != 0; s.dropHooks > 0 {
				s.dropHooks--
			}
		})
		if drop {
			d.Err = ErrDropped
		} else {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			var a response
			a, d.Err = s.sendRequest(ctx, http.MethodPost, h.url, "python-requests/2.34.2", d.Body, h.headers)
			d.Status = a.status
			cancel()
		}
		s.locked(func() {
			s.deliveries = append(s.deliveries, d)
			s.countDelivery(h.id, d)
		})
	}
}

// countDelivery counts a failure, as Label Studio after 1.23.2 does: whatever is not
// answered 2xx is one, and the webhook is switched off at the limit. The lock is held.
func (s *Server) countDelivery(id int64, d Delivery) {
	h := s.hooks[id]
	switch {
	case h == nil || s.hookLimit <= 0:
	case d.Err == nil && d.Status >= 200 && d.Status < 300:
		h.failures = 0
	default:
		if h.failures++; h.failures >= s.hookLimit {
			h.active = false
		}
	}
}

// response is what a receiver answered: status, reason phrase, body.
type response struct {
	status int
	reason string
	body   []byte
}

// sendRequest makes one outgoing request. Credentials in the address become Basic
// authentication, whatever the headers say; a user without a colon is ignored.
func (s *Server) sendRequest(ctx context.Context, method, address, agent string, body []byte, headers map[string]string) (response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return response{}, err
	}
	req.Header.Set("User-Agent", agent)
	req.Header.Set("Content-Type", "application/json")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	if pass, colon := req.URL.User.Password(); colon {
		req.SetBasicAuth(req.URL.User.Username(), pass)
	}
	req.URL.User = nil
	res, err := s.out.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return response{res.StatusCode, strings.TrimSpace(strings.TrimPrefix(res.Status, strconv.Itoa(res.StatusCode))), b}, err
}
