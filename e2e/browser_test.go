//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium with somebody at it, who is logged in to Label
// Studio. What it tells is what the page computed, whatever the API says.
type browser struct {
	t     *testing.T
	ctx   context.Context // the tab
	url   string
	shots string
	taken int
}

// pageTime is how long a page may take to become as it should be.
const pageTime = 30 * time.Second

// chromium is the browser of this machine.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium on this machine, in which this test looks at Label Studio's pages; install it (Debian: sudo apt install chromium)")
	return ""
}

// newBrowser starts a browser and logs in. It sees Label Studio and nothing else of
// the network. Screenshots are kept when the test fails, or always in the folder
// HONE_E2E_SCREENSHOTS.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{t: t, url: os.Getenv("HONE_LS_URL")}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(chromium(t)), chromedp.WindowSize(1500, 1300), chromedp.UserDataDir(t.TempDir()), chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	b.keepShots()
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...) //nolint:usetesting // the clean-up below ends it in order
	ctx, leave := chromedp.NewContext(allocator)
	b.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			b.shoot("at the end")
		}
		leave()
		end()
	})
	b.run("start the browser", chromedp.Navigate(b.url+"/user/login"))
	b.await("the form to log in", `document.querySelector('input[name=email]') && document.querySelector('input[name=password]')`, nil)
	b.run("log in",
		chromedp.SendKeys(chromedp.CSS("input[name=email]"), os.Getenv("LS_USER")),
		chromedp.SendKeys(chromedp.CSS("input[name=password]"), os.Getenv("LS_PASSWORD")),
		chromedp.Submit(chromedp.CSS("input[name=password]")))
	b.await("Label Studio lets us in", `!location.pathname.startsWith('/user/login') && document.readyState === 'complete'`, nil)
	return b
}

// in is the browser for a part of the test.
func (b *browser) in(t *testing.T) *browser {
	part := *b
	part.t = t
	t.Cleanup(func() {
		if t.Failed() {
			part.shoot("at the end")
		}
	})
	return &part
}

func (b *browser) keepShots() {
	b.t.Helper()
	var err error
	if b.shots = os.Getenv("HONE_E2E_SCREENSHOTS"); b.shots != "" {
		if err = os.MkdirAll(b.shots, 0o700); err != nil {
			b.t.Fatal(err)
		}
		return
	}
	if b.shots, err = os.MkdirTemp("", "hone-e2e-screenshots-"); err != nil { //nolint:usetesting // outlives a test that fails
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if b.t.Failed() {
			b.t.Logf("screenshots are in %s", b.shots)
			return
		}
		_ = os.RemoveAll(b.shots)
	})
}

func (b *browser) run(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	// The browser starts with its tab's first action, and ends with that action's context.
	if err := chromedp.Do(b.ctx); err != nil {
		b.t.Fatalf("start the browser: %v", err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, 2*pageTime)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// open goes to a page of Label Studio.
func (b *browser) open(path string) {
	b.t.Helper()
	b.run("open "+path, chromedp.Navigate(b.url+path))
}

// shoot takes a screenshot.
func (b *browser) shoot(name string) {
	ctx, cancel := context.WithTimeout(b.ctx, pageTime)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Logf("screenshot %q: %v", name, err)
		return
	}
	b.taken++
	file := fmt.Sprintf("%s-%02d-%s.png", strings.ReplaceAll(b.t.Name(), "/", "-"), b.taken, strings.ReplaceAll(name, " ", "-"))
	if err := os.WriteFile(filepath.Join(b.shots, file), png, 0o600); err != nil {
		b.t.Log(err)
	}
}

// look evaluates JavaScript; out may be nil. It is false while the page cannot say.
func (b *browser) look(script string, out any) bool {
	ctx, cancel := context.WithTimeout(b.ctx, pageTime)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify((() => { try { return (`+script+`) ?? null } catch (e) { return null } })())`))
	if err != nil {
		return false
	}
	switch text {
	case "null", "false", "":
		return false
	}
	return out == nil || json.Unmarshal([]byte(text), out) == nil
}

// await waits until JavaScript says something else than false and null, and decodes
// it into out unless that is nil.
func (b *browser) await(what, script string, out any) {
	b.t.Helper()
	until(b.t, pageTime, what, func() bool { return b.look(script, out) })
}

// piece is a stretch of marked or unmarked text as the page shows it.
type piece struct {
	Text string
	// Background is the computed one of the element the text is in.
	Background          string
	Left, Right, Middle float64 // on the screen
}

// finder is JavaScript that finds the pieces of the n-th occurrence of words in a
// passage, wherever it is shown: in a shadow tree, a frame or the page itself, but not in
// the list of tasks. The whole passage is what tells it from the list of regions.
const finder = `((passage, words, n) => {
	const roots = [], place = (root, x, y) => {
		roots.push([root, x, y]);
		for (const e of root.querySelectorAll('*')) {
			if (e.shadowRoot) place(e.shadowRoot, x, y);
			if (e.tagName === 'IFRAME' && e.contentDocument) {
				const at = e.getBoundingClientRect();
				place(e.contentDocument, x + at.left, y + at.top);
			}
		}
	};
	place(document, 0, 0);
	for (const [root, x, y] of roots.reverse()) {
		const all = [...root.querySelectorAll('*')].filter(e => !/^(SCRIPT|STYLE|HTML|HEAD)$/.test(e.tagName) && e.textContent.includes(passage) && !e.closest('[class*=dm-table]'));
		const inner = all.findLast(e => ![...e.children].some(c => c.textContent.includes(passage)) && e.getClientRects().length);
		if (!inner) continue;
		let from = inner.textContent.indexOf(passage);
		for (let i = 0, at = passage.indexOf(words); ; i++, at = passage.indexOf(words, at + 1)) {
			if (at < 0) return null;
			if (i === n) { from += at; break }
		}
		const to = from + words.length, out = [], walk = root.ownerDocument ? root.ownerDocument : root;
		const nodes = walk.createTreeWalker(inner, NodeFilter.SHOW_TEXT);
		for (let pos = 0, node; (node = nodes.nextNode()); pos += node.data.length) {
			const a = Math.max(from - pos, 0), z = Math.min(to - pos, node.data.length);
			if (a >= z) continue;
			if (!out.length) node.parentElement.scrollIntoView({block: 'nearest'});
			const range = walk.createRange();
			range.setStart(node, a);
			range.setEnd(node, z);
			const r = range.getBoundingClientRect();
			out.push({Text: node.data.slice(a, z), Background: node.ownerDocument.defaultView.getComputedStyle(node.parentElement).backgroundColor,
				Left: x + r.left, Right: x + r.right, Middle: y + (r.top + r.bottom) / 2});
		}
		return out;
	}
	return null;
})`

// pieces are those of the n-th occurrence, from 0, of words in a passage on the page;
// none when it is not there.
func (b *browser) pieces(passage, words string, n int) []piece {
	args, _ := json.Marshal([]any{passage, words, n})
	var out []piece
	b.look(finder+`(...`+string(args)+`)`, &out)
	return out
}

// background is the computed one of words in a passage, one a piece where they are cut.
func (b *browser) background(passage, words string, n int) string {
	var all []string
	for _, p := range b.pieces(passage, words, n) {
		all = append(all, p.Background)
	}
	return strings.Join(all, " ")
}

// awaitBackground waits until words have a background, told by how it begins.
func (b *browser) awaitBackground(passage, words string, n int, want string) {
	b.t.Helper()
	got := ""
	for deadline := time.Now().Add(pageTime); time.Now().Before(deadline); pause() {
		if got = b.background(passage, words, n); strings.HasPrefix(got, want) {
			b.t.Logf("%q of %q has the background %s", words, passage, got)
			return
		}
	}
	b.t.Errorf("%q of %q has the background %q, want %s…", words, passage, got, want)
}

// click clicks on the element that JavaScript finds, once it stands still and nothing
// covers it, until the page is as done says: one that is still being built forgets
// clicks, and people click again.
func (b *browser) click(what, script, done string) {
	b.t.Helper()
	var at, before [2]float64
	var clicked time.Time
	until(b.t, pageTime, what+" is clicked on", func() bool {
		if b.look(done, nil) {
			return true
		}
		before, at = at, [2]float64{}
		if b.look(`((e) => { if (!e) return null; e.scrollIntoView({block: 'nearest'}); const r = e.getBoundingClientRect();
			const x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2, hit = document.elementFromPoint(x, y);
			return r.width && hit && (e.contains(hit) || hit.contains(e)) ? [x, y] : null })(`+script+`)`, &at) && at == before && time.Since(clicked) > 2*time.Second {
			b.run("click on "+what, chromedp.MouseClickXY(at[0], at[1]))
			clicked = time.Now()
		}
		return false
	})
}

// drag marks words in a passage with the mouse.
func (b *browser) drag(passage, words string, n int) {
	b.t.Helper()
	var ps, before []piece
	until(b.t, pageTime, fmt.Sprintf("%q is shown and stands still", passage), func() bool {
		before, ps = ps, b.pieces(passage, words, n)
		return len(ps) > 0 && slices.Equal(ps, before)
	})
	first, last := ps[0], ps[len(ps)-1]
	held := chromedp.ButtonLeft
	b.run("mark "+words,
		chromedp.MouseEvent(chromedp.MousePressed, first.Left+1, first.Middle, held, chromedp.ClickCount(1)),
		chromedp.MouseEvent(chromedp.MouseMoved, (first.Left+last.Right)/2, last.Middle, held),
		chromedp.MouseEvent(chromedp.MouseMoved, last.Right-1, last.Middle, held),
		chromedp.MouseEvent(chromedp.MouseReleased, last.Right-1, last.Middle, held, chromedp.ClickCount(1)))
}
