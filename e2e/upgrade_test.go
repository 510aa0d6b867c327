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

	"github.com/hone-ml/hone/api"
)

// TestUpgrade: a data directory and the registrations of the version before are
// upgraded while people label, and nothing that they do is lost.
func TestUpgrade(t *testing.T) {
	t.Run("binary of the version before", func(t *testing.T) {
		binary := theBinaryBefore(t)
		if binary == "" {
			t.Skipf("a shallow clone without commit %s; the next test makes by hand what it leaves behind", before)
		}
		u := newUpgraded(t, binary)
		u.stop()
		u.upgrade()
		u.check(u.h.secret())
	})
	t.Run("made by hand", func(t *testing.T) {
		u := newUpgraded(t, "")
		u.stop()
		u.makeOld()
		u.upgrade()
		u.check(u.h.secret())
	})
	t.Run("configured", func(t *testing.T) {
		testUpgradeConfigured(t)
	})
}

// upgraded is a hone with two projects, one connected by command and one by the
// interface, which somebody labels all the time.
type upgraded struct {
	t       *testing.T
	s       *studio
	h       *hone
	by, ui  int
	at      *labelling
	stopped int
	enough  int // how many are labelled at least
}

// newUpgraded starts the hone to be upgraded: binary, or the one that was just
// built if that is empty.
func newUpgraded(t *testing.T, binary string, env ...string) *upgraded {
	t.Helper()
	u := &upgraded{t: t, s: newStudio(t), h: newOpenHone(t, append(configured(), env...)...), enough: 50}
	u.h.binary = binary
	u.h.start()
	tasks := load(t, "tasks.jsonl")[:100]
	u.by, u.ui = u.s.newProject(labelConfig(t), tasks), u.s.newProject(labelConfig(t), tasks)
	if out, err := u.h.run("connect", "--project", fmt.Sprint(u.by)); err != nil {
		t.Fatalf("connect: %v\n%s", err, out)
	}
	u.s.dropDoubles(u.by)
	at := u.h.url()
	if binary == "" && len(env) == 0 {
		at = strings.Replace(at, "://", "://hone:"+u.h.secret()+"@", 1)
	}
	u.connectUI(at)
	for _, p := range u.projects() {
		u.h.await(p, "the pool is read", func(p api.Project) bool { return p.Pool >= len(tasks) })
	}
	u.at = u.s.label(u.projects()...)
	u.at.await(t, 10)
	return u
}

// connectUI connects the second project with an address, and, where one is
// configured, user and password in the fields for them.
func (u *upgraded) connectUI(at string) {
	u.t.Helper()
	var b lsBackend
	add := map[string]any{"project": u.ui, "url": at, "title": "Our model", "is_interactive": true, "auth_method": "NONE"}
	if user := u.h.setting("BASIC_AUTH_USER"); user != "" {
		add["auth_method"], add["basic_auth_user"], add["basic_auth_pass"] = "BASIC_AUTH", user, u.h.setting("BASIC_AUTH_PASS")
	}
	u.s.do("POST", "/api/ml", add, &b)
	if b.State != "CO" {
		u.t.Fatalf("backend state %q: %s", b.State, b.ErrorMessage)
	}
	u.s.dropDoubles(u.ui)
}

func (u *upgraded) projects() []int { return []int{u.by, u.ui} }

// stop ends the hone to be upgraded, amid the labelling.
func (u *upgraded) stop() {
	u.t.Helper()
	u.h.stop(syscall.SIGTERM)
	u.stopped = u.at.count()
	u.at.await(u.t, u.stopped+4) // some go nowhere
}

// upgrade starts the new hone in the place of the old one.
func (u *upgraded) upgrade() {
	u.t.Helper()
	u.h.binary = ""
	u.h.start()
}

// check waits until every registration carries the secret, ends the labelling, and
// looks at everything. What came without the secret has had no effect.
func (u *upgraded) check(secret string) {
	u.t.Helper()
	ready := u.at.count()
	for _, p := range u.projects() {
		awaitSigned(u.t, u.s, p, secret)
	}
	signed := u.at.count()
	u.at.await(u.t, max(u.enough, signed+6))
	n := u.at.finish(u.t)
	made := 0
	for _, p := range u.projects() {
		u.h.awaitAll(u.s, p)
		ids := u.s.annotations(p)
		made += len(ids)
		st := u.h.status(p)
		if st.Labels != len(ids) || len(st.Problems) != 0 {
			u.t.Errorf("project %d: %d labels of %d annotations, problems %q", p, st.Labels, len(ids), st.Problems)
		}
		u.t.Logf("project %d: %d annotations, %d of them found by reconcile", p, len(ids), st.MissedFound)
	}
	if made < n {
		u.t.Errorf("Label Studio has %d annotations, %d were made", made, n)
	}
	u.t.Logf("%d annotations: old hone stopped after %d, new one ready after %d, all registrations signed after %d; %v calls refused", n, u.stopped, ready, signed, u.h.refused())
	u.doctor()
	for _, p := range u.projects() {
		ids := u.s.annotations(p)
		if status, body := u.h.call("POST", "/webhook", forget(p, ids[0])); status != http.StatusUnauthorized {
			u.t.Errorf("a webhook without the secret is answered %d: %s", status, body)
		}
	}
	u.h.checkSame(u.s, u.projects()...)
}

// doctor has nothing to complain of, but that some webhooks came while no hone ran or
// it could not believe them.
func (u *upgraded) doctor() {
	u.t.Helper()
	for _, p := range u.projects() {
		awaitSettings(u.t, u.s, p)
	}
	out, err := u.h.run("doctor", "--json")
	var rep api.Report
	if err != nil || json.Unmarshal([]byte(out), &rep) != nil {
		u.t.Fatalf("doctor: %v\n%s", err, out)
	}
	for _, st := range rep.Steps {
		missed := strings.HasSuffix(st.Name, ", webhooks") && strings.Contains(st.What, "that no webhook had told")
		if st.Level != "ok" && !missed {
			u.t.Errorf("doctor: %+v", st)
		}
	}
}

// testUpgradeConfigured: what the operator had set goes on counting as the secret,
// and nothing is refused on the way.
func testUpgradeConfigured(t *testing.T) {
	const user, pass, hook = "label-studio", "e2e pass:word", "e2e-hook-secret"
	u := newUpgraded(t, theBinaryBefore(t), "BASIC_AUTH_USER="+user, "BASIC_AUTH_PASS="+pass, "HONE_WEBHOOK_SECRET="+hook)
	u.stop()
	for _, name := range []string{"secret", "admin-token", "identity"} {
		_ = os.Remove(filepath.Join(u.h.data(), name)) // where the version before is not at hand
	}
	u.upgrade()
	for _, p := range u.projects() {
		awaitSigned(t, u.s, p, hook)
	}
	u.at.await(t, max(30, u.at.count()+10))
	u.at.finish(t)
	for _, p := range u.projects() {
		u.h.awaitAll(u.s, p)
		if st := u.h.status(p); len(st.Problems) != 0 {
			t.Errorf("project %d: problems %q", p, st.Problems)
		}
	}
	u.doctor()
	if n := u.h.refused(); n != 0 {
		t.Errorf("%v calls were refused", n)
	}
	empty := fmt.Sprintf(`{"action":"PROJECT_UPDATED","project":{"id":%d}}`, u.by)
	if status, body := u.h.call("POST", "/webhook", empty, "X-Hone-Secret", hook); status != http.StatusOK {
		t.Errorf("the configured header is answered %d: %s", status, body)
	}
	if status, body := u.h.call("GET", "/versions", "", "Authorization", basic(user, pass)); status != http.StatusOK {
		t.Errorf("the configured user is answered %d: %s", status, body)
	}
	if status, _ := u.h.call("GET", "/versions", "", "Authorization", basic(user, hook)); status != http.StatusUnauthorized {
		t.Errorf("the user with another password is answered %d", status)
	}
	u.h.checkSame(u.s, u.projects()...)
}

// TestUpgradeUnreachable: the new hone cannot put its secret into the registrations.
// It refuses nothing, believes nothing, says so, and catches up once it can.
func TestUpgradeUnreachable(t *testing.T) {
	binary := theBinaryBefore(t)
	u := newUpgraded(t, binary)
	u.enough = 30
	u.stop()
	if binary == "" {
		u.makeOld()
	}
	useless := strings.Repeat("0", 40)
	u.h.env = append(u.h.env, "LABEL_STUDIO_API_KEY="+useless) // the last one counts
	known := map[int]int{}
	u.upgrade()
	for _, p := range u.projects() {
		st := u.h.await(p, "the project has a problem", func(p api.Project) bool {
			return strings.Contains(strings.Join(p.Problems, "\n"), "secret could not be put")
		})
		known[p] = st.Labels
	}
	u.at.await(t, u.at.count()+6)
	for _, p := range u.projects() {
		ids := u.s.annotations(p)
		if status, body := u.h.call("POST", "/webhook", forget(p, ids[0])); status != http.StatusOK {
			t.Errorf("a webhook without the secret is answered %d: %s", status, body)
		}
		if st := u.h.status(p); st.Labels != known[p] {
			t.Errorf("project %d: webhooks without the secret made %d labels of %d", p, st.Labels, known[p])
		}
	}
	if n := u.h.refused(); n != 0 {
		t.Errorf("%v calls were refused", n)
	}
	u.h.stop(syscall.SIGTERM)
	u.h.env = configured()
	u.upgrade()
	u.check(u.h.secret())
}
