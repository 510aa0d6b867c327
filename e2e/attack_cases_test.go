//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// ping is a webhook that hone answers and makes nothing of.
const ping = `{"action": "PING"}`

// want sends a shot and compares the status.
func want(t *testing.T, status int, s shot) reply {
	t.Helper()
	r := fire(s, patience)
	if r.Status != status {
		t.Errorf("%s with %.100q: status %d %s, want %d: %.200s", s, fmt.Sprint(s.Header), r.Status, r.Fault, status, r.Body)
	}
	return r
}

// TestAttackSetup has the attacker pretend to be the first Label Studio that finds
// a hone without configuration.
func TestAttackSetup(t *testing.T) {
	s := newStudio(t)
	h := everywhere(t, newHone(t, "HONE_LEARNER_ENCODER=static"))
	h.start()
	tr := newTrap(t)
	setup := shot{
		To: h.addr, Method: "POST", Target: "/setup",
		Body: fmt.Sprintf(`{"project": "1.1795467032", "schema": %q, "hostname": %q, "access_token": "attack", "extra_params": null}`, labelConfig(t), tr.url),
	}
	alone := func(t *testing.T) {
		t.Helper()
		if out, err := h.run("doctor"); err == nil || !strings.Contains(out, "no Label Studio") && !strings.Contains(out, "not among") {
			t.Errorf("doctor does not miss a Label Studio: %v\n%s", err, out)
		}
		if out, err := h.run("status"); err != nil || strings.Contains(out, tr.url) {
			t.Errorf("hone status: %v\n%s", err, out)
		}
	}
	t.Run("without the secret", func(t *testing.T) {
		want(t, http.StatusUnauthorized, setup)
		alone(t)
		if called := tr.since(0); len(called) > 0 {
			t.Errorf("hone called the attacker: %q", called)
		}
		if out, err := h.run("status"); err != nil || !strings.Contains(out, "No project yet") {
			t.Errorf("hone status: %v\n%s", err, out)
		}
	})
	t.Run("with the secret", func(t *testing.T) {
		if h.secret() == "" {
			t.Fatal("hone has made no secret")
		}
		// Who has the secret may name any host, but that one must list hone.
		want(t, http.StatusOK, setup.with(basicHeader("hone", h.secret())))
		until(t, time.Minute, "hone looks whether the named host lists it", func() bool {
			return strings.Contains(strings.Join(tr.since(0), "\n"), "/api/ml")
		})
		alone(t)
	})
	t.Run("and then the real one", func(t *testing.T) {
		if h.secret() == "" {
			t.Fatal("hone has made no secret")
		}
		project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:20])
		s.connectAsUI(project, "http://hone:"+h.secret()+"@"+h.addr)
		// hone takes the first Label Studio that passes its check, and no other after it.
		h.await(project, "hone works with the real one", func(p api.Project) bool { return p.Pool == 20 && p.Queue.Pushed >= 5 })
		for _, c := range tr.since(0) {
			if !strings.HasPrefix(c, "GET ") {
				t.Errorf("hone changed something at the attacker's: %s", c)
			}
		}
		if log, err := os.ReadFile(h.log); err != nil || strings.Contains(string(log), h.secret()) {
			t.Errorf("the log holds the secret (or cannot be read: %v)", err)
		}
	})
}

// TestAttackLoopback attacks a hone that only its own machine reaches, through a
// proxy there and through its user's browser.
func TestAttackLoopback(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:20])
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == 20 })
	_, port, _ := strings.Cut(h.addr, ":")
	calls := []shot{
		{To: h.addr, Method: "POST", Target: "/webhook", Body: ping},
		{To: h.addr, Method: "POST", Target: "/predict", Body: fmt.Sprintf(`{"project": "%d.1", "tasks": [{"data": {"text": "a loan"}}]}`, project)},
		{To: h.addr, Method: "GET", Target: "/versions"},
		{To: h.addr, Method: "GET", Target: "/api/projects"},
		{To: h.addr, Method: "GET", Target: "/api/backup"},
		{To: h.addr, Method: "GET", Target: "/metrics"},
	}
	own := [2]string{"Host", "localhost:" + port}
	for _, c := range calls {
		want(t, http.StatusOK, c)
		want(t, http.StatusOK, c.with(own))
		want(t, http.StatusOK, c.with(own, [2]string{"Origin", "http://localhost:" + port}, [2]string{"Sec-Fetch-Site", "same-origin"}))
	}
	for name, header := range map[string][][2]string{
		"a foreign name": {{"Host", "attacker.example"}},
		// A name that a web page has pointed here.
		"a rebound name":          {{"Host", "attacker.example:" + port}, {"Origin", "http://attacker.example:" + port}, {"Sec-Fetch-Site", "same-origin"}},
		"localhost of the name":   {{"Host", "localhost.attacker.example"}},
		"an address of elsewhere": {{"Host", "192.0.2.1:" + port}},
		"all addresses":           {{"Host", "0.0.0.0:" + port}},
		"no name":                 {{"Host", ""}},
		"a foreign page":          {{"Origin", "https://attacker.example"}},
		"another port's page":     {{"Origin", "http://localhost:1"}},
		"a page without origin":   {{"Origin", "null"}},
		"a cross-site page":       {{"Sec-Fetch-Site", "cross-site"}},
		"a same-site page":        {{"Sec-Fetch-Site", "same-site"}},
		"Forwarded":               {{"Forwarded", "for=192.0.2.9"}},
		"X-Forwarded-For":         {{"X-Forwarded-For", "127.0.0.1"}},
		"X-Forwarded-Host":        {{"X-Forwarded-Host", "localhost"}},
		"X-Forwarded-Proto":       {{"X-Forwarded-Proto", "https"}},
		"X-Real-IP":               {{"X-Real-IP", "127.0.0.1"}},
		"x-real-ip":               {{"x-real-ip", "127.0.0.1"}},
		"Via":                     {{"Via", "1.1 proxy"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range calls {
				want(t, http.StatusUnauthorized, c.with(header...))
			}
		})
	}
}

// TestAttackInsecure looks at the way to have it as it was, which must show.
func TestAttackInsecure(t *testing.T) {
	h := everywhere(t, newHone(t, "HONE_LEARNER_ENCODER=static"))
	h.flags = []string{"--insecure"}
	h.start()
	for _, s := range []shot{
		{Method: "GET", Target: "/api/projects"},
		{Method: "GET", Target: "/api/backup"},
		{Method: "GET", Target: "/metrics"},
		{Method: "POST", Target: "/webhook", Body: ping},
		{Method: "GET", Target: "/versions"},
	} {
		s.To = h.at("127.0.0.2")
		want(t, http.StatusOK, s.with([2]string{"Host", "hone.example"}, [2]string{"X-Forwarded-For", "192.0.2.9"}))
	}
	const told = "whoever reaches its port may read and change everything"
	if out, err := h.run("status"); err != nil || !strings.Contains(out, told) {
		t.Errorf("hone status does not say it: %v\n%s", err, out)
	}
	if log := tail(h.log, 100); !strings.Contains(log, told) || !strings.Contains(log, "warning") {
		t.Errorf("the log does not say it:\n%s", log)
	}
}

// TestAttackTokens holds each token to what it is for.
func TestAttackTokens(t *testing.T) {
	const admin, view = "e2e-admin-token", "e2e-view-token"
	s := newStudio(t)
	h := everywhere(t, newHone(t, append(configured(), "HONE_ADMIN_TOKEN="+admin, "HONE_VIEW_TOKEN="+view)...))
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:20])
	if out, err := h.run("connect", "--project", fmt.Sprint(project), "--url", h.url()); err != nil {
		t.Fatalf("connect: %v\n%s", err, out)
	}
	call := func(method, target string) shot { return shot{To: h.addr, Method: method, Target: target} }
	reads := []shot{call("GET", "/api/projects"), call("GET", fmt.Sprintf("/api/projects/%d", project)), call("GET", "/api/secret"), call("GET", "/api/doctor"), call("GET", "/metrics")}
	changes := []shot{call("GET", "/api/backup")}
	for _, r := range routes(t) {
		if r.method != "GET" && strings.HasPrefix(r.path, "/api/") {
			c := call(r.method, strings.ReplaceAll(r.path, ":id", fmt.Sprint(project)))
			c.Body = `{}`
			changes = append(changes, c)
		}
	}
	t.Run("view token", func(t *testing.T) {
		for _, c := range reads {
			want(t, http.StatusOK, c.with(bearer(view)))
		}
		for _, c := range changes {
			want(t, http.StatusForbidden, c.with(bearer(view)))
		}
		want(t, http.StatusUnauthorized, call("GET", "/versions").with(bearer(view))) // Label Studio's
	})
	t.Run("admin token", func(t *testing.T) {
		for _, c := range append(reads, changes[0], call("GET", "/versions")) {
			want(t, http.StatusOK, c.with(bearer(admin)))
		}
	})
	t.Run("tokens elsewhere", func(t *testing.T) {
		for _, c := range append(reads, changes...) {
			want(t, http.StatusUnauthorized, c)
			want(t, http.StatusUnauthorized, c.with(basicHeader("hone", admin)))
			want(t, http.StatusUnauthorized, c.with(basicHeader("", admin)))
			want(t, http.StatusUnauthorized, c.with(basicHeader(admin, "")))
			want(t, http.StatusUnauthorized, c.with([2]string{"X-Hone-Secret", admin}))
		}
		// The file's token is none where one is configured.
		if made := h.admin(); made != "" {
			want(t, http.StatusUnauthorized, reads[0].with(bearer(made)))
		}
	})
}

// TestAttackAdminListen looks for /api on the port that others reach.
func TestAttackAdminListen(t *testing.T) {
	second := newHone(t).addr
	h := everywhere(t, newHone(t, "HONE_LEARNER_ENCODER=static", "HONE_ADMIN_LISTEN="+second))
	h.start()
	for _, r := range routes(t) {
		s := shot{To: h.addr, Method: r.method, Target: strings.ReplaceAll(r.path, ":id", "1")}
		switch {
		case strings.HasPrefix(r.path, "/api/") || strings.HasPrefix(r.path, "/ui/") || r.path == "/metrics":
			want(t, http.StatusNotFound, s)
			want(t, http.StatusNotFound, s.with(bearer(h.admin())))
			s.To = second
			// An unknown project is also 404, with hone's own words.
			if a := fire(s, patience); a.Status == 0 || a.Status == http.StatusUnauthorized || strings.Contains(a.Body, "nothing at this path") {
				t.Errorf("%s at the second address: status %d %s: %.200s", s, a.Status, a.Fault, a.Body)
			}
		case !r.public:
			want(t, http.StatusUnauthorized, s)
			s.To = second
			want(t, http.StatusNotFound, s)
		}
	}
	if out, err := h.run("status"); err != nil {
		t.Errorf("hone status: %v\n%s", err, out)
	}
}

// TestAttackTLS serves with a certificate and looks for ways around it.
func TestAttackTLS(t *testing.T) {
	cert, key := newCertificate(t)
	h := everywhere(t, newHone(t, "HONE_LEARNER_ENCODER=static", "HONE_TLS_CERT="+cert, "HONE_TLS_KEY="+key))
	h.launch()
	until(t, 30*time.Second, "hone status works: it trusts hone's own certificate", func() bool {
		_, err := h.run("status")
		return err == nil
	})
	for _, r := range routes(t) {
		s := shot{To: h.addr, Method: r.method, Target: strings.ReplaceAll(r.path, ":id", "1")}
		if s.Method == http.MethodPatch || s.Method == http.MethodDelete { // Go tells plain HTTP by the other methods alone, and hangs up here
			if a := fire(s.with(bearer(h.admin())), patience); a.Status != 0 {
				t.Errorf("%s in the clear: status %d: %.200s", s, a.Status, a.Body)
			}
			continue
		}
		want(t, http.StatusBadRequest, s.with(bearer(h.admin())))
	}
	// Somebody else at hone's address does not get the token.
	tr := &trap{}
	other := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { tr.note(r) }))
	defer other.Close()
	h.listen = strings.TrimPrefix(other.URL, "https://")
	if out, err := h.run("status"); err == nil || tr.count() > 0 {
		t.Errorf("hone status talks to whoever is at its address: %v\n%s", err, out)
	}
}
