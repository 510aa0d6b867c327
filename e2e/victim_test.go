//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// victim is a hone at work, with everything around it that would show that an
// attack went through.
type victim struct {
	*hone
	s       *studio
	tap     *tap
	trap    *trap
	project int
	tasks   []lsTask
	// labelled is the task of an annotation that hone has learned.
	labelled, annotation int
	labels               int
	// private must be in no answer to a stranger.
	private []string
	// What was before the attack.
	database [sha256.Size]byte
	asked    int
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{s: newStudio(t), tap: newTap(t), trap: newTrap(t)}
	v.hone = everywhere(t, newHone(t,
		"LABEL_STUDIO_URL="+v.tap.url, "LABEL_STUDIO_API_KEY="+os.Getenv("HONE_LS_TOKEN"), "HONE_LEARNER_ENCODER=static",
		// Nothing happens by the clock: what happens, the attacker did.
		"HONE_CRON_RECONCILE=off", "HONE_CRON_FULL_RECONCILE=off", "HONE_CRON_RETRAIN=off",
		"HONE_SAMPLER_CHECK_EVERY=1h", "HONE_SAMPLER_SETTLE=100ms"))
	v.start()
	if v.secret() == "" || v.admin() == "" {
		t.Error("hone has made no secret and no admin token")
	}
	v.project = v.s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:40])
	if out, err := v.run("connect", "--project", fmt.Sprint(v.project), "--url", v.url()); err != nil {
		t.Fatalf("connect: %v\n%s", err, out)
	}
	v.await(v.project, "the pool is read", func(p api.Project) bool { return p.Pool == 40 && p.Queue.Pushed >= 5 })
	for range 5 {
		v.label()
	}
	var page struct{ Tasks []lsTask }
	v.s.do("GET", fmt.Sprintf("/api/tasks?project=%d&page_size=100&fields=all", v.project), nil, &page)
	v.tasks = page.Tasks
	if len(v.tasks) != 40 {
		t.Fatalf("%d tasks listed", len(v.tasks))
	}
	v.private = []string{v.secret(), v.admin(), v.file("identity"), os.Getenv("HONE_LS_TOKEN"), "e2e " + t.Name()}
	for _, task := range v.tasks {
		v.private = append(v.private, task.Data.Text)
	}
	v.rest()
	return v
}

// label labels what Label Studio asks next, and waits until hone has learned it.
// Had an attack been learned before, the count would tell.
func (v *victim) label() {
	v.t.Helper()
	task := v.s.next(v.project)
	v.labelled, v.annotation = task.ID, v.s.annotate(task.ID, task.Data.Topic)
	v.labels++
	v.await(v.project, "the label is learned", func(p api.Project) bool { return p.Labels == v.labels && p.Backlog == 0 })
}

// rest waits until hone has nothing to do, and remembers how things are.
func (v *victim) rest() {
	v.t.Helper()
	v.await(v.project, "hone has nothing to do", func(p api.Project) bool {
		return p.Settled && p.Backlog == 0 && p.Queue.Labels == p.Labels && p.Queue.Pushed == len(p.Queue.Tasks) && !p.Retrain.Running
	})
	same := 0
	until(v.t, time.Minute, "hone's database and Label Studio are left alone", func() bool {
		if db, asked := v.backup(), v.tap.count(); db != v.database || asked != v.asked {
			v.database, v.asked, same = db, asked, 0
		}
		same++
		return same > 75
	})
}

// backup is the sum of hone's whole database: whatever is stored changes it.
func (v *victim) backup() [sha256.Size]byte {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.url()+"/api/backup", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+v.admin())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	sum := sha256.New()
	if n, err := io.Copy(sum, resp.Body); err != nil || resp.StatusCode != http.StatusOK || n == 0 {
		v.t.Fatalf("backup: status %d, %d bytes, %v", resp.StatusCode, n, err)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// unchanged fails the test if hone stored anything or asked anybody, and prepares
// for the next attack.
func (v *victim) unchanged(t *testing.T) {
	t.Helper()
	changed := v.backup() != v.database
	if changed {
		t.Error("hone's database is another one")
	}
	if asked := v.tap.since(v.asked); len(asked) > 0 {
		t.Errorf("hone asked Label Studio for %q", asked[:min(5, len(asked))])
		changed = true
	}
	if called := v.trap.since(0); len(called) > 0 {
		t.Errorf("hone called the attacker: %q", called[:min(5, len(called))])
	}
	if changed {
		v.rest()
	}
}

// studioState is what Label Studio has of the project, apart from its backends.
func (v *victim) studioState() string {
	v.t.Helper()
	var hooks []map[string]any
	var project map[string]any
	v.s.do("GET", fmt.Sprintf("/api/webhooks/?project=%d", v.project), nil, &hooks)
	v.s.do("GET", fmt.Sprintf("/api/projects/%d/", v.project), nil, &project)
	b, err := json.Marshal([]any{hooks, project, v.s.predictions(v.project)})
	if err != nil {
		v.t.Fatal(err)
	}
	return string(b)
}

// backends are those that Label Studio has. Looking at them has it call hone, which
// some seconds later looks at its registration.
func (v *victim) backends() string {
	v.t.Helper()
	var all []lsBackend
	v.s.do("GET", fmt.Sprintf("/api/ml?project=%d", v.project), nil, &all)
	return fmt.Sprintf("%+v", all)
}

// clean fails the test if an answer holds what a stranger must not read.
func (v *victim) clean(t *testing.T, s shot, r reply) {
	t.Helper()
	for _, p := range v.private {
		if p != "" && strings.Contains(r.Body, p) {
			t.Errorf("%s from %s: the answer holds %.40q", s, s.To, p)
			return
		}
	}
}
