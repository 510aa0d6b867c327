//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// say posts a webhook to hone that Label Studio never sent.
func (h *hone) say(body string) {
	h.t.Helper()
	resp, err := http.Post(h.url()+"/webhook", "application/json", strings.NewReader(body)) //nolint:noctx // short
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("a webhook of %d bytes: status %d", len(body), resp.StatusCode)
	}
}

// adopt tells hone of a project as /setup does, without registering it.
func (h *hone) adopt(s *studio, project int) {
	h.t.Helper()
	var p struct {
		CreatedAt   time.Time `json:"created_at"`
		LabelConfig string    `json:"label_config"`
	}
	s.do("GET", fmt.Sprintf("/api/projects/%d/", project), nil, &p)
	resp, err := http.Post(h.url()+"/setup", "application/json", strings.NewReader(fmt.Sprintf( //nolint:noctx // short
		`{"project":"%d.%d","schema":%q,"hostname":%q,"access_token":""}`, project, p.CreatedAt.Unix(), p.LabelConfig, s.url)))
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("/setup: status %d", resp.StatusCode)
	}
}

// sameAsFromScratch compares hone with one that learns the project now.
func (h *hone) sameAsFromScratch(s *studio, project, labels int) {
	h.t.Helper()
	settled := func(p api.Project) bool {
		return p.Labels == labels && p.Settled && p.Backlog == 0 && p.OptimalityGap != nil && *p.OptimalityGap < 0.005
	}
	h.await(project, fmt.Sprintf("hone has settled on %d labels", labels), settled)
	fresh := newHone(h.t, h.env...)
	fresh.start()
	fresh.adopt(s, project)
	fresh.await(project, fmt.Sprintf("a new hone has settled on %d labels", labels), settled)
	var texts []string
	for _, e := range load(h.t, "test.jsonl")[:100] {
		texts = append(texts, e.Text)
	}
	got, want := h.predict(texts), fresh.predict(texts)
	worst := 0.0
	for i := range texts {
		worst = max(worst, math.Abs(got[i].score-want[i].score))
		if got[i].label != want[i].label && math.Abs(got[i].score-want[i].score) > 0.01 {
			h.t.Errorf("%q: %+v, from scratch %+v", texts[i], got[i], want[i])
		}
	}
	if worst > 0.02 {
		h.t.Errorf("a score differs by %.4f from training from scratch", worst)
	}
	h.t.Logf("%d labels: scores differ by at most %.5f from training from scratch", labels, worst)
	out, err := h.run("doctor", "--project", fmt.Sprint(project))
	if !strings.Contains(out, "labels: hone knows the") {
		h.t.Errorf("doctor: %v\n%s", err, out)
	}
}

func (h *hone) reconcile(project int) {
	h.t.Helper()
	out, err := h.run("reconcile", "--project", fmt.Sprint(project))
	if err != nil {
		h.t.Fatalf("reconcile: %v\n%s", err, out)
	}
	h.t.Log(strings.TrimSpace(out))
}

// TestWordAgainstForgeries says everything that is false, with the right secret.
func TestWordAgainstForgeries(t *testing.T) {
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:80])
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == 80 })
	var ids []int
	var tasks []lsTask
	for range 40 {
		task := s.next(project)
		tasks, ids = append(tasks, task), append(ids, s.annotate(task.ID, task.Data.Topic))
	}
	h.await(project, "40 labels", func(p api.Project) bool { return p.Labels == 40 && p.Backlog == 0 })

	of := fmt.Sprintf(`"project":{"id":%d}`, project)
	list := func(ids []int) string { return strings.ReplaceAll(strings.Trim(fmt.Sprint(ids), "[]"), " ", ",") }
	began := time.Now()
	h.say(`{"action":"ANNOTATIONS_DELETED","annotations":[` + list(ids[:10]) + `],` + of + `}`)
	h.await(project, "ten labels are gone, or back already", func(p api.Project) bool { return p.Backlog == 0 })
	h.await(project, "ten labels are back", func(p api.Project) bool { return p.Labels == 40 && p.MissedFound >= 10 })
	t.Logf("ten deleted labels were back after %v", time.Since(began).Round(time.Millisecond))

	many := make([]int, 100_000)
	for i := range many {
		many[i] = 1_000_000 + i
	}
	h.say(`{"action":"ANNOTATIONS_DELETED","annotations":[` + list(many) + `],` + of + `}`)
	h.say(`{"action":"PROJECT_DELETED",` + of + `}`)
	h.say(fmt.Sprintf(`{"action":"PROJECT_UPDATED","project":{"id":%d,"created_at":"2001-01-01T00:00:00Z"}}`, project))
	h.say(fmt.Sprintf(`{"action":"PROJECT_UPDATED","project":{"id":%d,"title":"forged","label_config":"<View><Text name='text' value='$text'/><Choices name='topic' toName='text'><Choice value='forged'/></Choices></View>"}}`, project))
	for i, id := range ids[10:20] { // contents, dated late
		h.say(fmt.Sprintf(`{"action":"ANNOTATION_UPDATED","annotation":{"id":%d,"task":%d,"updated_at":"9999-01-01T00:00:00Z","result":[{"from_name":"topic","to_name":"text","type":"choices","value":{"choices":["%s"]}}]},%s}`,
			id, tasks[10+i].ID, tasks[(10+i+7)%40].Data.Topic, of))
	}
	for _, task := range tasks[20:25] { // data, dated late
		h.say(fmt.Sprintf(`{"action":"TASKS_CREATED","tasks":[{"id":%d,"data":{"text":"forged"},"updated_at":"9999-01-01T00:00:00Z"}],%s}`, task.ID, of))
	}
	h.say(fmt.Sprintf(`{"action":"ANNOTATION_CREATED","annotation":{"id":999999,"task":%d,"updated_at":"9999-01-01T00:00:00Z","result":[]},%s}`, tasks[30].ID, of))
	h.reconcile(project)
	h.sameAsFromScratch(s, project, 40)

	out, err := h.run("rebuild", "--all", "--json")
	if err != nil || !strings.Contains(out, `"labels": 40`) {
		t.Errorf("rebuild: %v\n%s", err, out)
	}
}

// server is a Label Studio of the test's own.
type server struct {
	t   *testing.T
	dir string
	url string
	// options are further ones of the script; token is what it printed.
	options []string
	token   string
}

func (v *server) script(args ...string) string {
	v.t.Helper()
	cmd := exec.Command("bash", append([]string{"../scripts/label-studio"}, args...)...) //nolint:noctx // bounded by the script
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		v.t.Fatalf("label-studio %v: %v", args, err)
	}
	return string(out)
}

// up starts it, on the same port as before.
func (v *server) up(options ...string) {
	v.t.Helper()
	port := "0"
	if v.url != "" {
		port = v.url[strings.LastIndex(v.url, ":")+1:]
	}
	out := v.script(append([]string{"up", "--dir", v.dir, "--port", port, "--watch", fmt.Sprint(os.Getpid())}, slices.Concat(v.options, options)...)...)
	for line := range strings.Lines(out) {
		if at, is := strings.CutPrefix(strings.TrimSpace(line), "LS_URL="); is {
			v.url = at
		}
		if token, is := strings.CutPrefix(strings.TrimSpace(line), "LS_TOKEN="); is {
			v.token = token
		}
	}
}

func (v *server) down() { v.script("down", "--dir", v.dir) }

// TestWordOfARestoredLabelStudio restores Label Studio's database from a copy made 30
// annotations ago: their ids are given again.
func TestWordOfARestoredLabelStudio(t *testing.T) {
	v := &server{t: t, dir: t.TempDir()}
	v.up()
	t.Cleanup(v.down)
	s := newStudio(t)
	s.url = v.url
	h := newHone(t, "LABEL_STUDIO_URL="+v.url, "LABEL_STUDIO_API_KEY="+os.Getenv("HONE_LS_TOKEN"), "HONE_LEARNER_ENCODER=static")
	h.start()
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:80])
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == 80 })
	label := func(n int, wrong bool) {
		for range n {
			task := s.next(project)
			topic := task.Data.Topic
			if wrong {
				topic = "Work"
			}
			s.annotate(task.ID, topic)
		}
	}
	label(20, false)
	h.await(project, "20 labels", func(p api.Project) bool { return p.Labels == 20 && p.Backlog == 0 })
	v.down()
	data, saved := filepath.Join(v.dir, "data"), filepath.Join(v.dir, "saved")
	if err := os.CopyFS(saved, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	v.up()
	label(30, true)
	h.await(project, "50 labels", func(p api.Project) bool { return p.Labels == 50 && p.Backlog == 0 })
	v.down()
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(saved, data); err != nil {
		t.Fatal(err)
	}
	v.up()
	label(5, false) // under ids that hone knows
	h.reconcile(project)
	h.sameAsFromScratch(s, project, 25)
	label(5, false)
	h.await(project, "what is labelled next counts at once", func(p api.Project) bool { return p.Labels == 30 })
}
