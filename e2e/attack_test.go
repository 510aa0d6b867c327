//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAttack attacks a hone that listens on every address, as it does unless told
// otherwise, while it works with the real Label Studio: no token, no text, no
// change, no request out.
func TestAttack(t *testing.T) {
	v := newVictim(t)
	asked := v.tap.count()
	backends := v.backends()
	until(t, time.Minute, "hone has looked at its registration", func() bool {
		return strings.Contains(strings.Join(v.tap.since(asked), "\n"), "GET /api/webhooks/")
	})
	v.rest()
	before := v.studioState()
	studioAsBefore := func(t *testing.T) {
		t.Helper()
		if now := v.studioState(); now != before {
			t.Errorf("Label Studio had\n%.1500s\nand has\n%.1500s", before, now)
		}
	}
	us := func(method, target, body string) shot {
		return shot{To: v.at("127.0.0.2"), Method: method, Target: target, Body: body}
	}
	// refused sends one shot and wants 401 and nothing else.
	refused := func(t *testing.T, s shot) {
		t.Helper()
		r := fire(s, patience)
		if r.Status != http.StatusUnauthorized {
			t.Errorf("%s: status %d %s, want 401: %.200s", s, r.Status, r.Fault, r.Body)
		}
		v.clean(t, s, r)
		v.unchanged(t)
	}

	t.Run("moving the registration", func(t *testing.T) {
		refused(t, us("POST", fmt.Sprintf("/api/projects/%d/connect", v.project), fmt.Sprintf(`{"url": %q}`, v.trap.url)))
		studioAsBefore(t)
	})
	t.Run("reading the files", func(t *testing.T) {
		for name, mode := range map[string]os.FileMode{"": 0o700, "secret": 0o600, "admin-token": 0o600, "identity": 0o600} {
			fi, err := os.Stat(filepath.Join(v.dir, "data", name))
			if err != nil || fi.Mode().Perm() != mode {
				t.Errorf("data/%s: want mode %o: %v %v", name, mode, fi, err)
			}
		}
	})
	t.Run("fetching the database", func(t *testing.T) { refused(t, us("GET", "/api/backup", "")) })
	t.Run("forged webhooks", func(t *testing.T) {
		for name, body := range v.forged() {
			t.Run(name, func(t *testing.T) { refused(t, us("POST", "/webhook", body)) })
		}
	})
	t.Run("health", func(t *testing.T) {
		ls := [2]string{"User-Agent", "heartex/1.23.2"}
		refused(t, us("GET", "/health", "").with(ls))
		for _, s := range []shot{us("GET", "/health", ""), us("GET", "/health", "").with(ls, basicHeader("hone", v.secret()))} {
			if r := fire(s, patience); r.Status != http.StatusOK {
				t.Errorf("%s: status %d, want 200", s, r.Status)
			}
		}
		v.unchanged(t)
	})

	// Everything, from everywhere.
	hosts := []string{"127.0.0.1", "127.0.0.2"}
	if r := fire(shot{To: v.at("::1"), Method: "GET", Target: "/healthz"}, patience); r.Status == http.StatusOK {
		hosts = append(hosts, "::1")
	} else {
		t.Logf("this machine has no ::1: %s", r.Fault)
	}
	for _, host := range hosts {
		t.Run("to "+host, func(t *testing.T) { v.storm(t, host, fireAll) })
	}
	t.Run("from another machine", func(t *testing.T) {
		far := newRemote(t)
		t.Run("this one calling its own address", func(t *testing.T) { v.storm(t, far.here, fireAll) })
		t.Run("that one", func(t *testing.T) {
			v.storm(t, far.here, func(s []shot) []reply { return far.fire(t, s) })
		})
	})

	t.Run("afterwards", func(t *testing.T) {
		for range 50 {
			if pause(); !t.Failed() {
				v.unchanged(t)
			}
		}
		studioAsBefore(t)
		if now := v.backends(); now != backends {
			t.Errorf("Label Studio had the backends\n%s\nand has\n%s", backends, now)
		}
	})
	v.label() // and hone still works, with one label more and no other
	if out, err := v.run("status"); err != nil || !strings.Contains(out, fmt.Sprintf("%d learned", v.labels)) {
		t.Errorf("hone status: %v\n%s", err, out)
	}
	if log, err := os.ReadFile(v.log); err != nil || v.secret() != "" && strings.Contains(string(log), v.secret()) || v.admin() != "" && strings.Contains(string(log), v.admin()) {
		t.Errorf("the log holds a credential (or none can be read: %v)", err)
	}
}

// forged are webhooks that would have hone learn something wrong, forget a label,
// or lose its heads.
func (v *victim) forged() map[string]string {
	victim := v.tasks[0]
	for _, task := range v.tasks {
		if task.ID != v.labelled {
			victim = task
		}
	}
	of := map[string]any{"id": v.project}
	out := map[string]string{}
	for name, body := range map[string]map[string]any{
		"ANNOTATION_CREATED": {
			"project": of, "task": map[string]any{"id": victim.ID, "data": victim.Data, "project": v.project},
			"annotation": map[string]any{"id": 1 << 30, "task": victim.ID, "project": v.project, "result": choice("Travel"), "created_at": "2030-01-01T00:00:00Z", "updated_at": "2030-01-01T00:00:00Z"},
		},
		"ANNOTATIONS_DELETED": {"project": of, "annotations": []map[string]any{{"id": v.annotation}}},
		"PROJECT_UPDATED": {"project": map[string]any{
			"id": v.project, "title": "taken over",
			"label_config": `<View><Text name="text" value="$text"/><Choices name="other" toName="text"><Choice value="a"/><Choice value="b"/></Choices></View>`,
		}},
	} {
		body["action"] = name
		b, err := json.Marshal(body)
		if err != nil {
			v.t.Fatal(err)
		}
		out[name] = string(b)
	}
	return out
}

// storm sends every route, with every bad credential and in every spelling, to one
// of the machine's addresses.
func (v *victim) storm(t *testing.T, host string, fire func([]shot) []reply) {
	t.Helper()
	to := v.at(host)
	var shots []shot
	var plain []bool
	var public int
	for _, r := range routes(t) {
		path := strings.ReplaceAll(r.path, ":id", fmt.Sprint(v.project))
		s := shot{To: to, Method: r.method, Target: path, Body: v.body(r)}
		if r.public {
			public++
			shots, plain = append(shots, s), append(plain, false)
			continue
		}
		for _, b := range v.bad(r, s) {
			shots, plain = append(shots, b), append(plain, true)
		}
		for _, b := range tricks(s) {
			shots, plain = append(shots, b), append(plain, false)
		}
	}
	if public > 11 {
		t.Errorf("%d public routes", public)
	}
	counts, told := map[int]int{}, 0
	open := map[string]bool{}
	for _, r := range routes(t) {
		open[r.method+" "+r.path] = r.public
	}
	for i, r := range fire(shots) {
		s := shots[i]
		counts[r.Status]++
		var wrong bool
		switch {
		case s.String() == signInWithout:
			wrong = r.Status != http.StatusForbidden
		case open[s.String()]:
			wrong = r.Status != http.StatusOK
		case plain[i]:
			wrong = r.Status != http.StatusUnauthorized
		default: // there may be nothing under that name, but never a success or a way to one
			wrong = r.Status < 400 || r.Status >= 500 && r.Status != http.StatusNotImplemented
		}
		if wrong && told < 30 {
			told++
			t.Errorf("%s to %s with %.100q: status %d %s %s: %.150s", s, s.To, fmt.Sprint(s.Header), r.Status, r.Location, r.Fault, r.Body)
		}
		v.clean(t, s, r)
	}
	t.Logf("%d requests to %s, by status: %v", len(shots), to, counts)
	v.unchanged(t)
}
