package labelstudio

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
)

// Backend is an ML backend registered with a project. Its URL's user info is left
// out when it is printed, not when it is encoded as JSON.
type Backend struct {
	ID      int64           `json:"id"`
	Project event.ProjectID `json:"project"`
	URL     string          `json:"url"`
	Title   string          `json:"title"`
	// State is CO connected, DI disconnected, ER error, TR training, PR predicting.
	State string `json:"state"`
	// Error is what Label Studio last complained of, without user info.
	Error string `json:"error_message"`
	// ModelVersion is what the backend's /setup last answered.
	ModelVersion  string `json:"model_version"`
	Interactive   bool   `json:"is_interactive"`
	AuthMethod    string `json:"auth_method"`
	BasicAuthUser string `json:"basic_auth_user"`
}

// Format keeps the URL's user info out of every kind of printing.
func (b Backend) Format(f fmt.State, verb rune) {
	type backend Backend // without this method
	b.URL, b.Error = WithoutUserInfo(b.URL), removeSecrets(b.Error)
	printStruct(f, verb, backend(b))
}

// BackendWrite registers or changes an ML backend.
type BackendWrite struct {
	Project     event.ProjectID `json:"project"`
	URL         string          `json:"url"`
	Title       string          `json:"title,omitempty"`
	Interactive bool            `json:"is_interactive"`
	// User and Password are sent to the backend as Basic authentication; both or
	// none. They win over the URL's user info.
	User     string
	Password secret.Secret
}

// Format keeps the URL's user info out of every kind of printing.
func (b BackendWrite) Format(f fmt.State, verb rune) {
	type backendWrite BackendWrite // without this method
	b.URL = WithoutUserInfo(b.URL)
	printStruct(f, verb, backendWrite(b))
}

// private returns the secrets that Label Studio's errors may quote.
func (b BackendWrite) private() []secret.Secret { return append(addressSecrets(b.URL), b.Password) }

func (b BackendWrite) wire() map[string]any {
	m := map[string]any{"project": b.Project, "url": b.URL, "is_interactive": b.Interactive}
	if b.Title != "" {
		m["title"] = b.Title
	}
	if b.User != "" {
		m["auth_method"] = "BASIC_AUTH"
		m["basic_auth_user"] = b.User
		m["basic_auth_pass"] = b.Password.Reveal()
	}
	return m
}

// Backends lists a project's ML backends; only the first is ever asked. Label
// Studio calls each one's /health and /setup before it answers.
func (c *Client) Backends(ctx context.Context, project event.ProjectID) ([]Backend, error) {
	var all []Backend
	err := c.do(ctx, apiCall{
		op: fmt.Sprintf("list ML backends of project %d", project), method: http.MethodGet, path: "/api/ml/",
		query: url.Values{"project": {strconv.FormatInt(int64(project), 10)}}, into: decodeInto(&all),
	})
	for i := range all {
		all[i].Error = removeSecrets(all[i].Error)
	}
	return all, err
}

// AddBackend registers an ML backend. Label Studio calls its /health and /setup,
// and by itself registers a webhook at <url>/webhook, with the URL's user info
// and without headers, and sets the project's model_version to the backend's
// title. It makes no webhook, and says nothing, when CheckHookHost refuses the
// URL or the project has one with exactly that URL.
func (c *Client) AddBackend(ctx context.Context, b BackendWrite) (Backend, error) {
	var answer Backend
	err := c.do(ctx, apiCall{op: fmt.Sprintf("add ML backend %s to project %d", WithoutUserInfo(b.URL), b.Project), method: http.MethodPost, path: "/api/ml/", body: b.wire(), private: b.private(), into: decodeBackend(&answer)})
	return answer, err
}

// PatchBackend replaces a backend's settings. Project and URL are required:
// without them Label Studio fails with 500. Another URL gets no webhook by
// itself, and the old one's stays.
func (c *Client) PatchBackend(ctx context.Context, id int64, b BackendWrite) (Backend, error) {
	if b.Project == 0 || b.URL == "" {
		return Backend{}, fmt.Errorf("change ML backend %d: project and URL must be given", id)
	}
	var answer Backend
	err := c.do(ctx, apiCall{op: fmt.Sprintf("change ML backend %d", id), method: http.MethodPatch, path: backendPath(id, ""), body: b.wire(), private: b.private(), into: decodeBackend(&answer)})
	return answer, err
}

// ValidateBackend makes Label Studio call the backend's /health and /setup now
// and returns what it found: State and Error say whether it can reach it.
func (c *Client) ValidateBackend(ctx context.Context, id int64) (Backend, error) {
	var answer Backend
	err := c.do(ctx, apiCall{op: fmt.Sprintf("validate ML backend %d", id), method: http.MethodGet, path: backendPath(id, ""), into: decodeBackend(&answer)})
	return answer, err
}

// DeleteBackend removes a backend; one that is gone already is no error. The webhook that
// Label Studio made for it stays. Label Studio calls its /health and /setup first.
func (c *Client) DeleteBackend(ctx context.Context, id int64) error {
	return ignoreNotFound(c.do(ctx, apiCall{op: fmt.Sprintf("delete ML backend %d", id), method: http.MethodDelete, path: backendPath(id, "")}))
}

// decodeBackend reads a backend; Label Studio's error in it quotes the URL.
func decodeBackend(b *Backend) func(io.Reader, http.Header) error {
	return func(r io.Reader, _ http.Header) error {
		err := json.NewDecoder(r).Decode(b)
		b.Error = removeSecrets(b.Error)
		return err
	}
}

func backendPath(id int64, rest string) string {
	return "/api/ml/" + strconv.FormatInt(id, 10) + rest
}
