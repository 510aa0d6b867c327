//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// The README's first steps, on a Label Studio as it comes: a token is made in the browser and
// given to `hone login`; then hone is connected, without being reached or by its pasted
// address; then the first suggestion is seen, and the next task follows hone's queue.
func TestSeeFirstSteps(t *testing.T) {
	t.Run("poll", func(t *testing.T) {
		f := newFirstSteps(t)
		project := f.newProject()
		f.typed("connect", "--project", fmt.Sprint(project), "--poll")
		f.label(project, "poll")
	})
	t.Run("pasted", func(t *testing.T) {
		t.Setenv("ML_BLOCK_LOCAL_IP", "false")
		t.Setenv("SSRF_PROTECTION_ENABLED", "false")
		f := newFirstSteps(t)
		project := f.newProject()
		f.paste(project)
		f.label(project, "webhook")
	})
}

// firstSteps is a new Label Studio with somebody at its browser, and a hone that was given a
// token.
type firstSteps struct {
	t     *testing.T
	b     *browser
	h     *hone
	s     *studio
	tasks []example
}

func newFirstSteps(t *testing.T) *firstSteps {
	t.Helper()
	v, s := plainStudio(t)
	t.Setenv("HONE_LS_URL", v.url)
	f := &firstSteps{t: t, b: newBrowser(t), h: newHone(t), s: s, tasks: load(t, "tasks.jsonl")[:60]}
	token := f.makeToken(v.token)
	login := exec.Command(f.h.program(), append([]string{"login", v.url}, f.h.where()...)...) //nolint:noctx // it ends
	login.Env, login.Stdin = cleanEnv(), strings.NewReader(token+"\n")
	out, err := login.CombinedOutput()
	t.Logf("$ hone login %s\n%s", v.url, out)
	if err != nil || strings.Contains(string(out), token) {
		t.Fatalf("hone login: %v", err)
	}
	f.h.start()
	return f
}

var personalToken = regexp.MustCompile(`ey[\w-]+\.ey[\w-]+\.[\w-]+`)

// makeToken makes a personal access token as people do, after revoking the one that is there.
func (f *firstSteps) makeToken(had string) string {
	f.t.Helper()
	f.s.do("POST", "/api/token/blacklist/", map[string]string{"refresh": had}, nil)
	f.b.open("/user/account")
	f.b.click("Personal Access Token", entry("Personal Access Token"), arrived("Personal Access Token"))
	const create = `[...document.querySelectorAll('button')].find(e => e.textContent.trim() === 'Create New Token' && !e.disabled)`
	const shown = `[...document.querySelectorAll('input, code, textarea, span, div')].map(e => e.value || (e.children.length ? '' : e.textContent)).find(s => /^ey[\w-]+\.ey[\w-]+\.[\w-]+$/.test((s || '').trim()))`
	f.b.click("Create New Token", create, shown)
	var token string
	f.b.await("the token", shown, &token)
	f.b.shoot("token")
	return personalToken.FindString(token)
}

// typed runs a command, and logs what was typed and answered.
func (f *firstSteps) typed(args ...string) string {
	f.t.Helper()
	out, err := f.h.run(args...)
	f.t.Logf("$ hone %s\n%s", strings.Join(args, " "), out)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *firstSteps) newProject() int {
	f.t.Helper()
	return f.s.newProject(labelConfig(f.t), f.tasks)
}

// paste writes hone's address into the form under Settings > Model > Connect Model.
func (f *firstSteps) paste(project int) {
	f.t.Helper()
	out := f.typed("secret")
	address := regexp.MustCompile(`http://\S+`).FindString(out)
	f.b.open(fmt.Sprintf("/projects/%d/settings/ml", project))
	f.b.click("Connect Model", entry("Connect Model"), `!!document.querySelector('input[name=url]')`)
	f.b.run("fill in the form",
		chromedp.SendKeys(chromedp.CSS("input[name=title]"), "Hone"),
		chromedp.SendKeys(chromedp.CSS("input[name=url]"), address))
	f.b.shoot("form")
	f.b.click("Validate and Save", entry("Validate and Save"), `document.body.innerText.includes('Connected')`)
	f.b.shoot("connected")
}

// label opens the project's labelling, where the first suggestion is seen, and submits an
// answer, after which the next task follows hone's queue.
func (f *firstSteps) label(project int, connection string) {
	f.t.Helper()
	p := f.h.await(project, "the first queue stands in Label Studio", func(p api.Project) bool {
		return p.Pool == len(f.tasks) && p.Queue.Pushed > 0 && p.Settled
	})
	awaitSettings(f.t, f.s, project)
	if p.Connection != connection || len(p.Problems) > 0 {
		f.t.Errorf("connected by %q, problems %q", p.Connection, p.Problems)
	}
	f.b.open(fmt.Sprintf("/projects/%d/data", project))
	f.b.click("Label All Tasks", `[...document.querySelectorAll('button')].find(e => /^Label All Tasks|^Label Tasks/.test(e.textContent.trim()))`, `!!document.querySelector('[class*=choices] input')`)
	first := f.h.status(project).Queue.Tasks
	f.suggested("first suggestion", first[0])
	stored := fmt.Sprintf(`(() => { const r = new XMLHttpRequest(); r.open('GET', '/api/tasks/%d/annotations/', false); r.send(); return JSON.parse(r.responseText).length > 0 })()`, first[0])
	f.b.click("Submit", `[...document.querySelectorAll('button')].find(e => e.textContent.trim() === 'Submit')`, stored)
	p = f.h.await(project, "it is learned, and the next queue stands", func(p api.Project) bool { return p.Labels == 1 && p.Queue.Labels == 1 && p.Queue.Pushed > 0 })
	// The page has asked for the next task at once, mostly before hone has learned the label.
	f.suggested("next task", first[1], p.Queue.Tasks[0])
}

// suggested waits until the editor shows one of some tasks with a suggestion, and logs it.
func (f *firstSteps) suggested(what string, tasks ...event.TaskID) {
	f.t.Helper()
	texts := make([]string, len(tasks))
	for i, id := range tasks {
		var task struct{ Data struct{ Text string } }
		f.s.do("GET", fmt.Sprintf("/api/tasks/%d/", id), nil, &task)
		texts[i] = quoted(task.Data.Text)
	}
	var shown struct{ Text, Label string }
	f.b.await("the "+what, `((text, chosen) => text && chosen && {Text: text, Label: chosen.closest('label').textContent.trim()})([`+strings.Join(texts, ",")+
		`].find(s => document.body.innerText.includes(s)), [...document.querySelectorAll('[class*=choices] input')].find(e => e.checked))`, &shown)
	f.t.Logf("%s: %q, suggested is %q", what, shown.Text, shown.Label)
	f.b.shoot(what)
}
