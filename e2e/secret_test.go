//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// shown is what `hone secret --json` prints.
type shown struct{ User, Secret, Address string }

func (h *hone) showSecret(args ...string) shown {
	h.t.Helper()
	var out shown
	text, err := h.run(append([]string{"secret", "--json"}, args...)...)
	if err != nil || json.Unmarshal([]byte(text), &out) != nil || out.Secret == "" {
		h.t.Fatalf("hone secret: %v\n%s", err, text)
	}
	return out
}

// checkRefused looks at both ways in which a secret may come.
func (h *hone) checkRefused(secret string) {
	h.t.Helper()
	empty := `{"action":"PROJECT_UPDATED","project":{"id":1}}`
	for _, header := range [][]string{{"X-Hone-Secret", secret}, {"Authorization", basic("hone", secret)}} {
		if status, body := h.call("POST", "/webhook", empty, header...); status != http.StatusUnauthorized {
			h.t.Errorf("%s with a secret that does not count is answered %d: %s", header[0], status, body)
		}
	}
	if status, _ := h.call("GET", "/versions", "", "Authorization", basic("hone", secret)); status != http.StatusUnauthorized {
		h.t.Errorf("/versions with a secret that does not count is answered %d", status)
	}
}

// labelSome labels n tasks and waits until they are learned, which their webhooks
// alone must tell.
func (h *hone) labelSome(s *studio, project, n int) {
	h.t.Helper()
	missed, refused := h.status(project).MissedFound, h.refused()
	for range n {
		task := s.next(project)
		s.annotate(task.ID, task.Data.Topic)
	}
	h.awaitAll(s, project)
	p := h.await(project, "the new queue is pushed", func(p api.Project) bool { return p.Queue.Labels == p.Labels && p.Queue.Pushed > 0 })
	if p.MissedFound != missed {
		h.t.Errorf("project %d: %d of %d annotations only reconcile found", project, p.MissedFound-missed, n)
	}
	if now := h.refused(); now != refused {
		h.t.Errorf("project %d: %v calls were refused", project, now-refused)
	}
}

// TestSecretLost: the secret, or the whole data directory, is gone. hone mends the
// registrations by itself.
func TestSecretLost(t *testing.T) {
	t.Parallel() // most of it is waiting
	for _, c := range []struct{ name, what string }{{"the secret", "secret"}, {"the directory", ""}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStudio(t)
			h := newOpenHone(t, configured()...)
			h.start()
			by, ui := connectBoth(t, s, h)
			for _, p := range []int{by, ui} {
				awaitSigned(t, s, p, h.secret())
				h.labelSome(s, p, 1)
			}
			old := h.secret()
			h.stop(syscall.SIGTERM)
			if err := os.RemoveAll(filepath.Join(h.data(), c.what)); err != nil {
				t.Fatal(err)
			}
			h.start()
			if h.secret() == old {
				t.Fatal("the secret is the old one")
			}
			// Label Studio calls with the old secret until a registration is mended, and is
			// refused; labelSome counts the refused calls of all projects.
			for _, p := range []int{by, ui} {
				awaitSigned(t, s, p, h.secret())
				h.awaitCarried(p)
			}
			for _, p := range []int{by, ui} {
				h.awaitAll(s, p) // what it knew before
				h.labelSome(s, p, 5)
				if problems := h.status(p).Problems; len(problems) != 0 {
					t.Errorf("project %d: problems %q", p, problems)
				}
			}
			h.checkRefused(old)
			h.checkSame(s, by, ui)
		})
	}
}

// connectBoth makes two projects and connects them, one by command, one with the
// address that hone prints.
func connectBoth(t *testing.T, s *studio, h *hone) (by, ui int) {
	t.Helper()
	tasks := load(t, "tasks.jsonl")[:200]
	by, ui = s.newProject(labelConfig(t), tasks), s.newProject(labelConfig(t), tasks)
	if out, err := h.run("connect", "--project", fmt.Sprint(by)); err != nil {
		t.Fatalf("connect: %v\n%s", err, out)
	}
	if b := s.connectAsUI(ui, h.showSecret().Address); b.State != "CO" {
		t.Fatalf("backend state %q: %s", b.State, b.ErrorMessage)
	}
	for _, p := range []int{by, ui} {
		s.dropDoubles(p)
		h.await(p, "the pool is read and the queue stands", func(p api.Project) bool { return p.Pool >= len(tasks) && p.Queue.Pushed > 0 })
	}
	return by, ui
}

// rotation is how far hone says that the secret has come.
func (h *hone) rotation() (r api.Rotation) {
	h.t.Helper()
	resp, err := h.get("/api/secret")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		h.t.Fatal(err)
	}
	return r
}

// awaitCarried waits until hone knows that a project's registration carries the
// secret.
func (h *hone) awaitCarried(project int) {
	h.t.Helper()
	until(h.t, time.Minute, "hone knows that the registration carries the secret", func() bool {
		for _, p := range h.rotation().Projects {
			if int(p.Project) == project {
				return p.Carries
			}
		}
		return false
	})
}

// TestSecretRotate replaces the secret while people label.
func TestSecretRotate(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	h := newOpenHone(t, configured()...)
	h.start()
	by, ui := connectBoth(t, s, h)
	for _, p := range []int{by, ui} {
		h.awaitCarried(p)
	}
	old := h.secret()
	at := s.label(by, ui)
	at.await(t, 5)
	began := time.Now()
	now := h.showSecret("--rotate")
	t.Logf("rotated after %v, amid %d annotations", time.Since(began).Round(time.Millisecond), at.count())
	if now.Secret == old || now.Secret != h.secret() || !strings.HasPrefix(now.Address, "http://hone:"+now.Secret+"@") {
		t.Errorf("after the rotation: a new secret %t, the one in the directory %t, address with it %t", now.Secret != old, now.Secret == h.secret(), strings.Contains(now.Address, now.Secret))
	}
	// The command has ended, so there is nothing to wait for.
	h.checkRefused(old)
	if h.file("secret.previous") != "" || h.rotation().Rotating {
		t.Error("the old secret is kept")
	}
	at.await(t, at.count()+6)
	at.finish(t)
	for _, p := range []int{by, ui} {
		awaitSigned(t, s, p, now.Secret)
		h.awaitAll(s, p)
		st := h.status(p)
		if st.MissedFound != 0 || len(st.Problems) != 0 {
			t.Errorf("project %d: only reconcile found %d annotations; problems %q", p, st.MissedFound, st.Problems)
		}
	}
	h.checkSame(s, by, ui)
}

// TestSecretPasted: hone knows nothing but what Label Studio tells, and Label Studio
// nothing but what was pasted.
func TestSecretPasted(t *testing.T) {
	t.Parallel()
	t.Run("the address that hone prints", func(t *testing.T) {
		t.Parallel()
		s := newStudio(t)
		h := newOpenHone(t, "HONE_LEARNER_ENCODER=static")
		h.start()
		project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:60])
		if b := s.connectAsUI(project, h.showSecret().Address); b.State != "CO" {
			t.Fatalf("backend state %q: %s", b.State, b.ErrorMessage)
		}
		h.checkPasted(s, project)
		if n := h.refused(); n != 0 {
			t.Errorf("%v calls were refused", n)
		}
	})
	t.Run("a plain address with user and password", func(t *testing.T) {
		t.Parallel()
		s := newStudio(t)
		h := newOpenHone(t, "HONE_LEARNER_ENCODER=static")
		h.start()
		project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:60])
		var b lsBackend
		s.do("POST", "/api/ml", map[string]any{
			"project": project, "url": h.url(), "title": "Hone", "is_interactive": true,
			"auth_method": "BASIC_AUTH", "basic_auth_user": "hone", "basic_auth_pass": h.secret(),
		}, &b)
		if b.State != "CO" {
			t.Fatalf("backend state %q: %s", b.State, b.ErrorMessage)
		}
		h.checkPasted(s, project) // the webhook was made without the secret
	})
	t.Run("a plain address alone is refused", func(t *testing.T) {
		t.Parallel()
		s := newStudio(t)
		h := newOpenHone(t, "HONE_LEARNER_ENCODER=static")
		h.start()
		project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:20])
		status, body, err := s.try("POST", "/api/ml", map[string]any{"project": project, "url": h.url(), "title": "Hone", "is_interactive": true, "auth_method": "NONE"})
		if err != nil || status != http.StatusBadRequest || !strings.Contains(string(body), "authentication parameters") {
			t.Errorf("Label Studio answers %d, %v, which names no cause: %.600s", status, err, body)
		}
		if n := len(h.rotation().Projects); n != 0 {
			t.Errorf("hone took in %d projects", n)
		}
	})
}

// checkPasted runs the loop.
func (h *hone) checkPasted(s *studio, project int) {
	h.t.Helper()
	s.dropDoubles(project)
	h.await(project, "the queue is pushed", func(p api.Project) bool { return p.Pool >= 60 && p.Queue.Pushed >= 5 })
	awaitSigned(h.t, s, project, h.secret())
	awaitSettings(h.t, s, project)
	h.awaitCarried(project)
	h.labelSome(s, project, 5)
	p := h.status(project)
	if got := s.next(project); got.ID != headOf(p) {
		h.t.Errorf("Label Studio serves %d, hone ranks %v first", got.ID, p.Queue.Tasks)
	}
	if p.MissedFound != 0 || len(p.Problems) != 0 {
		h.t.Errorf("only reconcile found %d changes; problems %q", p.MissedFound, p.Problems)
	}
	if hooks := s.hooks(project); len(hooks) != 1 {
		h.t.Errorf("webhooks %+v", hooks)
	}
}
