//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// mirror stands before Label Studio. It can fail, and then answers with everything
// that it was sent.
type mirror struct {
	*httptest.Server
	mu     sync.Mutex
	status int  // 0: Label Studio answers
	writes bool // only what changes something fails
	tokens map[string]bool
}

func newMirror(t *testing.T, to string) *mirror {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	m := &mirror{tokens: map[string]bool{}}
	pass := httputil.NewSingleHostReverseProxy(u)
	pass.ErrorLog = log.New(io.Discard, "", 0) // of requests that hone gave up
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		m.mu.Lock()
		if token != "" {
			m.tokens[token] = true
		}
		status := m.status
		if m.writes && r.Method == http.MethodGet {
			status = 0
		}
		m.mu.Unlock()
		if status == 0 {
			pass.ServeHTTP(w, r)
			return
		}
		dump, _ := httputil.DumpRequest(r, true)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Www-Authenticate", r.Header.Get("Authorization"))
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"detail": string(dump), "validation_errors": map[string][]string{"url": {string(dump)}}})
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) fail(status int, writesOnly bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status, m.writes = status, writesOnly
}

// TestSecretNowhere: no token and no secret is in a log, an answer, an error, a
// metric, a backup or the database.
func TestSecretNowhere(t *testing.T) {
	t.Parallel()
	t.Run("configured", testNowhereConfigured)
	t.Run("zero configuration", func(t *testing.T) {
		t.Parallel()
		s := newStudio(t)
		h := newOpenHone(t, "HONE_LEARNER_ENCODER=static")
		h.flags = []string{"--debug"}
		h.start()
		w := newWitness(t, h)
		w.never[os.Getenv("HONE_LS_TOKEN")] = "the legacy token"
		w.keys()
		project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:30])
		s.connectAsUI(project, h.showSecret().Address)
		s.dropDoubles(project)
		awaitSigned(t, s, project, h.secret())
		h.await(project, "the queue is pushed", func(p api.Project) bool { return p.Queue.Pushed > 0 })
		h.labelSome(s, project, 2)
		w.misuse(project)
		h.showSecret("--rotate")
		w.keys()
		w.ask(project, h.admin())
		w.run("doctor")
		w.run("status", "--json")
		w.backup()
		h.stop(syscall.SIGTERM)
		h.start() // with what it remembers
		h.await(project, "ready again", func(p api.Project) bool { return p.Labels >= 2 })
		h.stop(syscall.SIGTERM)
		w.files()
		w.check("request", "found Label Studio", "the secret was replaced")
	})
}

func testNowhereConfigured(t *testing.T) {
	t.Parallel()
	const view, useless = "e2e+view/token=12345", "e2e-useless-token-0123456789"
	s := newStudio(t)
	m := newMirror(t, s.url)
	personal := s.personalToken()
	h := newOpenHone(t, "HONE_LEARNER_ENCODER=static", "LABEL_STUDIO_URL="+m.URL, "LABEL_STUDIO_API_KEY="+personal, "HONE_VIEW_TOKEN="+view)
	h.flags = []string{"--debug"}
	h.start()
	w := newWitness(t, h)
	w.never[personal], w.never[view], w.never[useless] = "the personal token", "the token that reads", "a token that does not work"
	w.never[os.Getenv("HONE_LS_TOKEN")] = "the legacy token"
	w.keys()
	by, ui := connectBoth(t, s, h)
	for _, p := range []int{by, ui} {
		h.awaitCarried(p)
		h.labelSome(s, p, 1)
	}
	id := fmt.Sprint(by)
	everything := func() {
		for _, args := range [][]string{
			{"connect", "--project", id},
			{"connect", "--project", "99999"},
			{"connect", "--project", id, "--url", "http://hone:" + h.secret() + "@127.0.0.1:1"},
			{"status"},
			{"status", "--json"},
			{"doctor"},
			{"doctor", "--json"},
			{"versions", "--project", id},
			{"deadletter", "list"},
			{"healthcheck"},
			{"reconcile", "--project", id},
		} {
			w.run(args...)
		}
		w.ask(by, view)
		w.ask(by, h.admin())
	}
	everything()
	w.misuse(by)

	m.fail(http.StatusBadRequest, true)
	w.rotateInVain()
	everything()
	m.fail(http.StatusUnauthorized, false)
	everything()
	m.fail(0, false)
	w.backup()
	h.stop(syscall.SIGTERM)

	m.fail(http.StatusInternalServerError, false)
	for _, token := range []string{useless, os.Getenv("HONE_LS_TOKEN")} {
		h.env = append(h.env, "LABEL_STUDIO_API_KEY="+token)
		h.start()
		w.run("status", "--json")
		w.run("doctor")
		w.ask(by, view)
		h.stop(syscall.SIGTERM)
		m.fail(0, false)
	}
	h.env = append(h.env, "HONE_SECRET="+useless+" with a blank", "HONE_ADMIN_TOKEN="+useless+"\x01", "LABEL_STUDIO_URL=http://hone:"+useless+"@127.0.0.1:x")
	w.run("serve")
	w.run("status")
	w.files()
	m.mu.Lock()
	for token := range m.tokens {
		w.never[token] = "what was sent to Label Studio"
	}
	m.mu.Unlock()
	w.check("request", `/webhook`, "the secret was replaced")
}

// rotateInVain replaces the secret while Label Studio takes nothing: both secrets
// count, and are in what hone sends.
func (w *witness) rotateInVain() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, honeBinary, append([]string{"secret", "--rotate"}, w.h.where()...)...)
	cmd.Env = append(cleanEnv(), w.h.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &errs
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	until(w.t, time.Minute, "hone says why both registrations lack the new secret", func() bool {
		r := w.h.rotation()
		return r.Rotating && len(r.Projects) == 2 && r.Projects[0].Problem != "" && r.Projects[1].Problem != ""
	})
	cancel()
	_ = cmd.Wait()
	w.saw("errors of hone secret --rotate", errs.Bytes())
	w.keys()
}
