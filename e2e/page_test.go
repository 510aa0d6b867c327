//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/hone-ml/hone/api"
)

// complaints are what the browser complains of.
type complaints struct {
	mu  sync.Mutex
	all []string
}

func (c *complaints) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, what)
}

// listen notes exceptions and errors of the tab from now on.
func (b *browser) listen() *complaints {
	b.t.Helper()
	c := &complaints{}
	err := chromedp.Listen(b.ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			c.add(fmt.Sprintf("exception: %s %s:%d", ev.ExceptionDetails.Text, ev.ExceptionDetails.URL, ev.ExceptionDetails.LineNumber))
		case *log.EventEntryAdded:
			if ev.Entry.Level == log.EntryLevelError {
				c.add(fmt.Sprintf("%s: %s %s", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL))
			}
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// visit goes to a page of hone.
func (b *browser) visit(url string) {
	b.t.Helper()
	b.run("open "+url, chromedp.Navigate(url))
}

// fillIn types into a field of a form, in place of what is there.
func (b *browser) fillIn(selector, text string) {
	b.t.Helper()
	b.run("fill in "+selector, chromedp.SetValue(chromedp.CSS(selector), text))
}

// press clicks on an element.
func (b *browser) press(selector string) {
	b.t.Helper()
	b.run("click on "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// shootAll takes screenshots of a view as people have it, light, dark and on a phone, and has axe-core
// look at each.
func (b *browser) shootAll(name, axe string) {
	b.t.Helper()
	scheme := func(of string) chromedp.Action[chromedp.Void] {
		return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: of}}})
			return chromedp.Void{}, err
		}
	}
	b.shoot(name + " light")
	b.inspect(name, axe)
	b.run("dark", scheme("dark"))
	b.shoot(name + " dark")
	b.inspect(name+", dark", axe)
	b.run("a phone", scheme("light"), chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
	b.shoot(name + " phone")
	b.inspect(name+", on a phone", axe)
	if b.look(`document.documentElement.scrollWidth > innerWidth`, nil) {
		b.t.Errorf("%s is wider than a phone", name)
	}
	b.run("no phone", chromedp.EmulateViewport(1500, 1300))
}

// axeScript is axe-core, which finds what keeps people from using a page.
func axeScript(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "../scripts/axe").Output()
	if err != nil {
		t.Fatalf("scripts/axe: %v", err)
	}
	script, err := os.ReadFile(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// inspect has axe-core look at the page as it is, and fails for what is serious.
func (b *browser) inspect(name, axe string) {
	b.t.Helper()
	b.look(`(() => { `+axe+`; window.axeFound = null; axe.run({resultTypes: ['violations']}).then(r => { window.axeFound = r.violations
		.filter(v => v.impact === 'serious' || v.impact === 'critical').map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' ').slice(0, 300)) },
		e => { window.axeFound = [String(e)] }); return true })()`, nil)
	var found []string
	b.await("axe-core has looked at "+name, `window.axeFound`, &found)
	for _, f := range found {
		b.t.Errorf("%s: %s", name, f)
	}
}

// TestPage connects a project by clicks alone and follows it on hone's page while it is labelled.
func TestPage(t *testing.T) {
	s := newStudio(t)
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl")[:60])
	h := everywhere(t, newHone(t, "HONE_LEARNER_ENCODER=static"))
	h.start()
	axe := axeScript(t)
	b := newBrowser(t)
	complained := b.listen()

	b.visit(h.url() + "/ui/connect")
	b.await("the page asks who it is", `location.pathname === '/ui/sign-in' && document.querySelector('#token')`, nil)
	b.shootAll("sign in", axe)
	b.fillIn("#token", "something else")
	b.press("main button")
	b.await("a wrong token is refused", `document.querySelector('.fault')?.textContent.includes('neither')`, nil)
	b.fillIn("#token", h.admin())
	b.press("main button")
	b.await("the right one leads to where somebody wanted to go", `location.pathname === '/ui/connect'`, nil)
	b.press("nav a.name")
	b.await("no project yet", `location.pathname === '/ui/' && document.querySelector('main a.button')`, nil)
	b.shootAll("no project", axe)

	b.press("main a.button")
	b.await("the form for Label Studio", `document.querySelector('#url')`, nil)
	b.fillIn("#url", os.Getenv("HONE_LS_URL"))
	b.fillIn("#token", os.Getenv("HONE_LS_TOKEN"))
	b.press("form.narrow button")
	offered := fmt.Sprintf(`button[name=project][value="%d"]`, project)
	b.await("its projects are offered", `document.querySelector('`+offered+`')`, nil)
	var shown string
	if b.look(`document.documentElement.innerHTML`, &shown); strings.Contains(shown, os.Getenv("HONE_LS_TOKEN")) {
		t.Error("Label Studio's token is shown")
	}
	b.shootAll("connect", axe)
	b.press(offered)
	b.await("the project's page", fmt.Sprintf(`location.pathname === '/ui/projects/%d' && document.querySelector('#labels')`, project), nil)
	b.await("the queue is there without a reload", `document.querySelectorAll('#queue tbody tr').length >= 20`, nil)

	const labels = 20
	for range labels {
		task := s.next(project)
		s.annotate(task.ID, task.Data.Topic)
	}
	b.await("the labels are counted on the open page", fmt.Sprintf(`document.querySelector('#labels').textContent === '%d'`, labels), nil)
	b.await("the curve is drawn", `document.querySelector('#plots canvas') && JSON.parse(document.querySelector('#curve [data-points]').dataset.points)[0].at(-1) === 20`, nil)
	b.await("the queue says why", `[...document.querySelectorAll('#queue tbody tr')].every(r => r.cells[2].textContent && r.cells[5].textContent)`, nil)
	b.shootAll("project", axe)

	b.press("#classes summary")
	b.fillIn("#classes textarea", "engine, tyres, oil, the road\nmiles to the gallon")
	b.press("#classes details[open] button")
	b.await("the lines stand beside the label", `document.querySelector('#classes li').textContent.includes('miles to the gallon')`, nil)
	p := h.await(project, "the model begins with them", func(p api.Project) bool { return len(p.Heads) == 1 && p.Heads[0].Described == 1 })

	b.press("form[action$=retrain] button")
	h.await(project, "a new version", func(now api.Project) bool { return now.ModelVersion != p.ModelVersion && !now.Retrain.Running })
	b.await("it is listed", `document.querySelector('#versions button[value="`+p.ModelVersion+`"]')`, nil)
	b.press(`#versions button[value="` + p.ModelVersion + `"]`)
	h.await(project, "rolled back", func(now api.Project) bool { return now.ModelVersion == p.ModelVersion })
	b.await("the page says so", `document.querySelector('#versions tbody').textContent.includes('`+p.ModelVersion+` live')`, nil)

	b.fillIn("#key", "queue")
	b.fillIn("#value", "12")
	b.press("#configure button")
	b.await("the queue is shorter", `document.querySelectorAll('#queue tbody tr').length === 12`, nil)
	b.press("a[href$=doctor]")
	b.await("the doctor's lines", `document.querySelectorAll('.steps li').length > 3`, nil)
	b.shootAll("doctor", axe)
	b.visit(h.url() + "/")
	b.await("GET / leads a browser to the page", `location.pathname === '/ui/' && document.querySelector('.card')`, nil)
	b.shootAll("overview", axe)
	b.press("header form button")
	b.await("signed out", `location.pathname === '/ui/sign-in'`, nil)
	b.visit(h.url() + "/ui/")
	b.await("nothing is shown any more", `location.pathname === '/ui/sign-in'`, nil)

	complained.mu.Lock()
	defer complained.mu.Unlock()
	for _, what := range complained.all {
		if !strings.Contains(what, "status of 403") { // the wrong token
			t.Error(what)
		}
	}
}
