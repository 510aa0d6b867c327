//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// brokenLoop is a hone that is connected with a project, for somebody to break.
type brokenLoop struct {
	*hone
	top     *testing.T // whose hone it is
	s       *studio
	server  *server
	project int
}

// problems are those that `hone status --json` prints.
func (l *brokenLoop) problems() []string {
	l.t.Helper()
	out, err := l.run("status", "--project", fmt.Sprint(l.project), "--json")
	if err != nil {
		return []string{out}
	}
	var p api.Project
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		l.t.Fatalf("status: %v\n%s", err, out)
	}
	return p.Problems
}

// compare asks for a comparison with Label Studio.
func (l *brokenLoop) compare() {
	l.t.Helper()
	resp, err := http.Post(fmt.Sprintf("%s/api/projects/%d/reconcile", l.url(), l.project), "application/json", strings.NewReader("{}")) //nolint:noctx // short
	if err != nil {
		l.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// awaitProblem waits until a problem holds all of some parts.
func (l *brokenLoop) awaitProblem(parts ...string) {
	l.t.Helper()
	until(l.t, time.Minute, fmt.Sprintf("a problem with %q", parts), func() bool {
		return slices.ContainsFunc(l.problems(), func(s string) bool {
			return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(s, p) })
		})
	})
}

func (l *brokenLoop) awaitNone() {
	l.t.Helper()
	var last []string
	until(l.t, time.Minute, "no problem is left", func() bool { last = l.problems(); return len(last) == 0 })
}

type brokenHook struct {
	ID     int    `json:"id"`
	URL    string `json:"url"`
	Active bool   `json:"is_active"`
}

func (l *brokenLoop) hook() brokenHook {
	l.t.Helper()
	var hooks []brokenHook
	l.s.do("GET", fmt.Sprintf("/api/webhooks/?project=%d", l.project), nil, &hooks)
	if len(hooks) != 1 {
		l.t.Fatalf("%d webhooks, want 1", len(hooks))
	}
	return hooks[0]
}

func (l *brokenLoop) patchProject(fields map[string]any) {
	l.t.Helper()
	l.s.do("PATCH", fmt.Sprintf("/api/projects/%d/", l.project), fields, nil)
}

func (l *brokenLoop) connect() {
	l.t.Helper()
	if out, err := l.run("connect", "--project", fmt.Sprint(l.project)); err != nil {
		l.t.Fatalf("connect: %v\n%s", err, out)
	}
}

// restartWith starts hone anew with another token.
func (l *brokenLoop) restartWith(token string) {
	l.t.Helper()
	l.stop(syscall.SIGTERM)
	l.env = brokenEnv(l.server.url, token)
	sub := l.t
	l.t = l.top // at whose end it stops
	l.start()
	l.t = sub
}

func brokenEnv(at, token string) []string {
	return []string{"LABEL_STUDIO_URL=" + at, "LABEL_STUDIO_API_KEY=" + token, "HONE_LEARNER_ENCODER=static"}
}

// TestBrokenLoops breaks each thing that Label Studio and hone need of each other, as people
// do, reads the problem in `hone status`, and mends it.
func TestBrokenLoops(t *testing.T) {
	t0 := t
	v := &server{t: t, dir: t.TempDir()}
	v.up()
	t.Cleanup(v.down)
	s := newStudio(t)
	s.url = v.url
	owner := os.Getenv("HONE_LS_TOKEN")
	h := newHone(t, brokenEnv(v.url, owner)...)
	h.start()
	var second member
	for _, tc := range []struct {
		name   string
		broken func(*brokenLoop)
		// says are parts of the problem; its fix is one.
		says []string
		// mend nil: the problem goes with `hone forget`.
		mend func(*brokenLoop)
		// hears is true where Label Studio tells of the break itself.
		hears bool
	}{
		{
			name:   "sampling switched",
			broken: func(l *brokenLoop) { l.patchProject(map[string]any{"sampling": "Sequential sampling"}) },
			says:   []string{"sampling", "ignores hone's queue", "hone connect"}, hears: true,
			mend: func(l *brokenLoop) { l.patchProject(map[string]any{"sampling": "Uncertainty sampling"}) },
		}, {
			name:   "model deleted",
			broken: func(l *brokenLoop) { l.s.deleteBackends(l.project, 0) },
			says:   []string{"ML backend", "was deleted in Label Studio", "hone connect"},
			mend:   func(l *brokenLoop) { l.s.connectAsUI(l.project, l.url()) },
		}, {
			name: "webhook disabled",
			broken: func(l *brokenLoop) {
				l.s.do("PATCH", fmt.Sprintf("/api/webhooks/%d/", l.hook().ID), map[string]any{"is_active": false}, nil)
			},
			says: []string{"webhook", "is inactive", "hone connect"},
			mend: func(l *brokenLoop) {
				if l.hook().Active {
					l.t.Error("a person's choice was overruled")
				}
				l.s.do("PATCH", fmt.Sprintf("/api/webhooks/%d/", l.hook().ID), map[string]any{"is_active": true}, nil)
			},
		}, {
			name: "webhook deleted",
			broken: func(l *brokenLoop) {
				l.s.do("DELETE", fmt.Sprintf("/api/webhooks/%d/", l.hook().ID), nil, nil)
			},
			says: []string{"webhook", "Label Studio has none to", "hone connect"},
			mend: func(l *brokenLoop) { l.connect() },
		}, {
			name:   "token revoked",
			broken: func(l *brokenLoop) { l.s.legacyTokens(false) },
			says:   []string{"token", "refuses hone's token", "LABEL_STUDIO_API_KEY"},
			mend:   func(l *brokenLoop) { l.s.legacyTokens(true) },
		}, {
			name: "user removed",
			broken: func(l *brokenLoop) {
				second = l.s.invite()
				l.restartWith(second.token)
				l.awaitNone()
				l.s.do("DELETE", fmt.Sprintf("/api/organizations/1/memberships/%d/", second.id), nil, nil)
			},
			says: []string{"token", "was removed from Label Studio's organization", "LABEL_STUDIO_API_KEY"},
			mend: func(l *brokenLoop) { l.restartWith(owner) },
		}, {
			name: "blocked addresses",
			broken: func(l *brokenLoop) {
				l.server.down()
				l.server.up("--keep-ssrf")
			},
			says: []string{"blocked address", "SSRF_PROTECTION_ENABLED=false"},
			mend: func(l *brokenLoop) {
				l.server.down()
				l.server.up()
			},
		}, {
			name: "project deleted",
			broken: func(l *brokenLoop) {
				// Label Studio answers 500 while a prediction is being written.
				until(l.t, time.Minute, "the project is deleted", func() bool {
					status, _, err := l.s.try("DELETE", fmt.Sprintf("/api/projects/%d/", l.project), nil)
					return err == nil && (status == http.StatusNoContent || status == http.StatusNotFound)
				})
			},
			says: []string{"no longer has this project", "hone forget --project"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			began := time.Now()
			at := *s
			at.t = t
			l := &brokenLoop{hone: h, top: t0, s: &at, server: v}
			l.t = t
			l.project = l.s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:10])
			l.connect()
			l.await(l.project, "it is connected and in order", func(p api.Project) bool { return p.Queue.Pushed > 0 && len(p.Problems) == 0 })
			tc.broken(l)
			if !tc.hears {
				l.compare()
			}
			l.awaitProblem(tc.says...)
			seen := time.Since(began)
			if tc.mend == nil {
				out, err := l.run("forget", "--project", fmt.Sprint(l.project), "--yes")
				if err != nil {
					t.Fatalf("forget: %v\n%s", err, out)
				}
				if out, err = l.run("status", "--project", fmt.Sprint(l.project), "--json"); err == nil || !strings.Contains(out, "unknown project") {
					t.Errorf("it is not forgotten: %v\n%s", err, out)
				}
				return
			}
			tc.mend(l)
			if !tc.hears {
				l.compare()
			}
			l.awaitNone()
			t.Logf("a problem after %v, gone after %v", seen.Round(100*time.Millisecond), time.Since(began).Round(100*time.Millisecond))
		})
	}
}

// legacyTokens switches legacy tokens on or off, as Organization > API Tokens Settings does.
// With them off, only a personal access token can.
func (s *studio) legacyTokens(on bool) {
	s.t.Helper()
	if !on {
		s.refresh = s.personalToken()
	} else {
		var out struct{ Access string }
		s.do("POST", "/api/token/refresh/", map[string]string{"refresh": s.refresh}, &out)
		before := s.auth
		s.auth = "Bearer " + out.Access
		defer func() { s.auth = before }()
	}
	s.do("POST", "/api/jwt/settings", map[string]any{"api_tokens_enabled": true, "legacy_api_tokens_enabled": on}, nil)
}

// member is a person beside the owner of the organization.
type member struct {
	id    int
	token string
}

// invite has somebody sign up by the organization's invitation.
func (s *studio) invite() member {
	s.t.Helper()
	var invitation struct {
		URL string `json:"invite_url"`
	}
	s.do("GET", "/api/invite", nil, &invitation)
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: time.Minute}
	page, err := browser.Get(s.url + invitation.URL) //nolint:noctx // short
	if err != nil {
		s.t.Fatal(err)
	}
	_ = page.Body.Close()
	home, _ := url.Parse(s.url)
	form := url.Values{"email": {fmt.Sprintf("second-%d@example.com", time.Now().UnixNano())}, "password": {"a-password-of-theirs"}, "allow_newsletters": {"false"}}
	for _, c := range jar.Cookies(home) {
		if c.Name == "csrftoken" {
			form.Set("csrfmiddlewaretoken", c.Value)
		}
	}
	done, err := browser.PostForm(s.url+invitation.URL, form) //nolint:noctx // short
	if err != nil {
		s.t.Fatal(err)
	}
	_ = done.Body.Close()
	var out struct {
		ID    int
		Token string
	}
	for _, path := range []string{"/api/current-user/whoami", "/api/current-user/token"} {
		resp, err := browser.Get(s.url + path) //nolint:noctx // short
		if err != nil {
			s.t.Fatal(err)
		}
		err = json.NewDecoder(resp.Body).Decode(&out)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			s.t.Fatalf("%s: %d, %v: the second user could not sign up", path, resp.StatusCode, err)
		}
	}
	return member{out.ID, out.Token}
}
