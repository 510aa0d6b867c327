package labelstudio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/hone-ml/hone/internal/secret"
)

// TokenKind is the kind of credential a token is.
type TokenKind string

const (
	// NoToken means that no credential is configured.
	NoToken TokenKind = "none"
	// LegacyToken never expires; many organisations have it turned off.
	LegacyToken TokenKind = "legacy token"
	// PersonalAccessToken is exchanged for a short-lived one.
	PersonalAccessToken TokenKind = "personal access token"
)

// KindOf tells the kinds apart: a personal access token is a JWT, three parts
// joined by two dots.
func KindOf(token secret.Secret) TokenKind {
	switch {
	case token == "":
		return NoToken
	case strings.Count(string(token), ".") == 2:
		return PersonalAccessToken
	default:
		return LegacyToken
	}
}

// renewAfter is how long an exchanged token is used. Label Studio's lives 300 s.
const renewAfter = 240 * time.Second

// authenticator makes the Authorization header. Exchanges are shared: however
// many calls need a new access token at once, one is fetched.
type authenticator struct {
	c     *Client
	token secret.Secret
	kind  TokenKind
	now   func() time.Time
	group singleflight.Group

	mu     sync.Mutex
	access string
	since  time.Time
}

func newAuthenticator(c *Client, token secret.Secret) *authenticator {
	return &authenticator{c: c, token: token, kind: KindOf(token), now: time.Now}
}

// Format keeps the tokens out of a printed Client.
func (a *authenticator) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secret.Hidden) }

// TokenKind says which kind of credential the client uses.
func (c *Client) TokenKind() TokenKind { return c.auth.kind }

func (a *authenticator) header(ctx context.Context, anonymous bool) (string, error) {
	if anonymous {
		return "", nil
	}
	switch a.kind {
	case NoToken:
		return "", errors.New("no Label Studio token is configured; set LABEL_STUDIO_API_KEY")
	case LegacyToken:
		return "Token " + a.token.Reveal(), nil
	}
	a.mu.Lock()
	access, fresh := a.access, a.access != "" && a.now().Sub(a.since) < renewAfter
	a.mu.Unlock()
	if fresh {
		return "Bearer " + access, nil
	}
	return a.exchange(ctx)
}

// renew is called after a 401 to a request that carried used. It returns used
// itself when nothing better can be had.
func (a *authenticator) renew(ctx context.Context, used string) (string, error) {
	if a.kind != PersonalAccessToken {
		return used, nil
	}
	a.mu.Lock()
	if "Bearer "+a.access == used {
		a.access = ""
	}
	a.mu.Unlock()
	return a.header(ctx, false) // another call may have renewed it meanwhile
}

func (a *authenticator) exchange(ctx context.Context) (string, error) {
	// The exchange outlives the caller who happened to be first, so that its
	// cancelled context does not fail the others.
	result := a.group.DoChan("", func() (any, error) {
		started := a.now()
		var answer struct {
			Access string `json:"access"`
		}
		k := apiCall{
			op: "exchange the personal access token", method: http.MethodPost, path: "/api/token/refresh/",
			body:       map[string]string{"refresh": a.token.Reveal()},
			repeatable: true, anonymous: true, into: decodeInto(&answer),
		}
		if err := a.c.do(context.WithoutCancel(ctx), k); err != nil {
			return "", err
		}
		if answer.Access == "" || strings.ContainsFunc(answer.Access, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "", errors.New("exchange the personal access token: Label Studio's answer holds no access token")
		}
		a.mu.Lock()
		a.access, a.since = answer.Access, started
		a.mu.Unlock()
		return "Bearer " + answer.Access, nil
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-result:
		header, _ := r.Val.(string)
		return header, r.Err
	}
}

// redact takes the credentials out of a text Label Studio sent back.
func (a *authenticator) redact(s string) string {
	a.mu.Lock()
	access := a.access
	a.mu.Unlock()
	for _, known := range []string{a.token.Reveal(), access} {
		if known != "" {
			s = strings.ReplaceAll(s, known, secret.Hidden)
		}
	}
	return s
}

func encodeBody(k apiCall) ([]byte, error) {
	if k.body == nil {
		return nil, nil
	}
	b, err := json.Marshal(k.body)
	if err != nil {
		return nil, fmt.Errorf("%s: encode the request: %w", k.op, err)
	}
	return b, nil
}

// decodeInto reads one JSON value into v.
func decodeInto(v any) func(io.Reader, http.Header) error {
	return func(r io.Reader, _ http.Header) error {
		return json.NewDecoder(r).Decode(v)
	}
}
