package page

import (
	"bufio"
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/settings"
)

var views = []string{"/ui/", "/ui/connect", "/ui/projects/3", "/ui/projects/3/doctor"}

// elements calls do for each element of a page.
func elements(t *testing.T, page string, do func(n *html.Node, attr map[string]string)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			attr := map[string]string{}
			for _, a := range n.Attr {
				attr[a.Key] = a.Val
			}
			do(n, attr)
		}
	}
}

// Nothing of a page runs or looks in a way that the policy forbids, whatever texts say.
func TestPagesKeepTheirPolicy(t *testing.T) {
	r := newRig(t).as(access.Admin)
	for _, v := range append(views, "/ui/sign-in", "/ui/projects/99") {
		w := r.get(v)
		policy := w.Header().Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'", v)
		assert.NotContains(t, policy, "unsafe", v)
		assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"), v)
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"), v)
		elements(t, w.Body.String(), func(n *html.Node, attr map[string]string) {
			for name := range attr {
				if name == "style" || strings.HasPrefix(name, "on") {
					t.Errorf("%s: <%s %s>", v, n.Data, name)
				}
			}
			switch n.Data {
			case "script":
				assert.True(t, strings.Contains(attr["src"], "assets/") && n.FirstChild == nil, "%s: a script of its own", v)
			case "style", "iframe", "object", "base":
				t.Errorf("%s: <%s>", v, n.Data)
			case "img":
				t.Errorf("%s: the text of a task became an image", v)
			case "form":
				if n.Parent != nil && attr["method"] != "post" {
					t.Errorf("%s: a form that is no post", v)
				}
			}
		})
	}
	assert.Contains(t, r.get("/ui/projects/3").Body.String(), "&lt;script&gt;alert(1)")
}

// Each address on a page leads to something below /ui, from where the page is.
func TestAddressesAreRelative(t *testing.T) {
	r := newRig(t).as(access.Admin)
	for _, v := range views {
		from, err := url.Parse("https://example.com/prefix" + v)
		require.NoError(t, err)
		elements(t, r.get(v).Body.String(), func(n *html.Node, attr map[string]string) {
			for _, name := range []string{"href", "src", "action", "sse-connect"} {
				to, ok := attr[name]
				if !ok || strings.HasPrefix(to, "http://studio.example:8080") || strings.HasPrefix(to, "#") {
					continue
				}
				u, err := from.Parse(to)
				require.NoError(t, err)
				path, below := strings.CutPrefix(u.Path, "/prefix")
				if !assert.True(t, below && strings.HasPrefix(path, "/ui/"), "%s: %s leads to %s", v, to, u) {
					return
				}
				if name == "action" || name == "sse-connect" {
					return
				}
				assert.Equal(t, http.StatusOK, r.get(path).Code, "%s: %s", v, to)
			}
		})
	}
	w := r.get("/")
	assert.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, "ui/", w.Header().Get("Location"))
	q := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	q.Header.Set("Accept", "*/*")
	assert.Equal(t, http.StatusOK, r.do(q).Code, "Label Studio asks for JSON")
}

func TestSigningIn(t *testing.T) {
	r := newRig(t)
	for _, v := range views {
		w := r.get(v)
		assert.Equal(t, http.StatusSeeOther, w.Code, v)
		assert.Contains(t, w.Header().Get("Location"), "sign-in", v)
	}
	assert.Equal(t, http.StatusForbidden, r.post("/ui/sign-in", "token", "guess").Code)
	w := r.post("/ui/sign-in", "token", "view", "next", "projects/3")
	require.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, "projects/3", w.Header().Get("Location"))
	r.cookie = w.Result().Cookies()[0]
	assert.Equal(t, http.StatusOK, r.get("/ui/projects/3").Code)
	assert.NotContains(t, r.get("/ui/projects/3").Body.String(), "Roll back", "a view token changes nothing")
	assert.Equal(t, http.StatusForbidden, r.post("/ui/projects/3/retrain").Code)
	assert.Empty(t, r.published)

	r.cookie = nil
	code, _ := r.keys.Sessions().NewLink()
	assert.Contains(t, r.get("/ui/sign-in?link="+code).Body.String(), code)
	w = r.post("/ui/sign-in", "link", code)
	require.Equal(t, http.StatusSeeOther, w.Code, "looking at the link has not used it up")
	r.cookie = w.Result().Cookies()[0]
	assert.Equal(t, http.StatusSeeOther, r.post("/ui/projects/3/retrain").Code)
	r.cookie = nil
	assert.Equal(t, http.StatusForbidden, r.post("/ui/sign-in", "link", code).Code)
	for _, next := range []string{"//evil.example", "https://evil.example", "/\\evil.example", "projects/3/../../..", "javascript:alert(1)"} {
		w := r.post("/ui/sign-in", "token", "admin", "next", next)
		assert.Equal(t, "", w.Header().Get("Location"), next)
	}
}

// No form is taken that a page of this session has not made.
func TestFormsNeedTheirToken(t *testing.T) {
	r := newRig(t).as(access.Admin)
	for _, path := range []string{"/ui/projects/3/retrain", "/ui/projects/3/rollback", "/ui/projects/3/describe", "/ui/projects/3/configure", "/ui/login", "/ui/connect", "/ui/sign-out"} {
		assert.Equal(t, http.StatusForbidden, r.post(path, "form_token", "guess").Code, path)
		assert.Equal(t, http.StatusForbidden, r.post(path, "form_token", r.page.placeholder).Code, path)
		if path != "/ui/connect" { // which is a page too
			assert.NotEqual(t, http.StatusOK, r.get(path).Code, "%s by GET", path)
		}
	}
	assert.Empty(t, r.published)
	assert.Empty(t, r.described)
	assert.Empty(t, r.changes)
	assert.Empty(t, r.logins)
	assert.NotContains(t, r.get("/ui/projects/3").Body.String(), r.page.placeholder)
}

func TestActions(t *testing.T) {
	r := newRig(t).as(access.Admin)
	assert.Equal(t, "../../projects/3", r.post("/ui/projects/3/retrain").Header().Get("Location"))
	assert.Equal(t, http.StatusSeeOther, r.post("/ui/projects/3/rollback", "to", "hone-1").Code)
	require.Len(t, r.published, 2)
	assert.Equal(t, event.ProjectID(3), r.published[0].(*event.RetrainDue).Project)
	assert.Equal(t, "hone-1", r.published[1].(*event.RollbackDue).To)
	assert.Equal(t, http.StatusNotFound, r.post("/ui/projects/99/retrain").Code)
	assert.Equal(t, http.StatusNotFound, r.post("/ui/projects/x/retrain").Code)
	require.Len(t, r.published, 2)

	r.post("/ui/projects/3/configure", "key", "queue", "value", "12")
	r.post("/ui/projects/3/configure", "key", "queue", "value", "")
	require.Len(t, r.changes, 2)
	assert.Equal(t, "12", *r.changes[0].Value)
	assert.Nil(t, r.changes[1].Value)
	r.post("/ui/projects/3/describe", "control", "topic", "label", "a", "lines", " one \r\n\r\ntwo")
	assert.JSONEq(t, `{"topic":{"a":["one","two"]}}`, r.described[0])
	assert.Equal(t, http.StatusBadRequest, r.post("/ui/projects/3/describe", "control", "topic", "label", "gone", "lines", "x").Code)

	w := r.post("/ui/login", "url", "http://studio.example:8080", "token", "studio-token")
	assert.Equal(t, []string{"http://studio.example:8080 studio-token"}, r.logins)
	assert.NotContains(t, w.Body.String(), "studio-token")
	assert.Contains(t, w.Body.String(), "new")
	assert.Equal(t, "projects/4", r.post("/ui/connect", "project", "4", "address", "http://hone.example:9090").Header().Get("Location"))
	r.post("/ui/connect", "project", "4", "poll", "1")
	assert.Equal(t, []string{"http://hone.example:9090", "polled"}, r.connected)
	r.report = api.Report{Steps: []api.Step{{Level: "fail", Name: "backend", What: "not reached", Fix: "open the port"}}}
	assert.Contains(t, r.post("/ui/connect", "project", "4", "address", "http://x").Body.String(), "open the port")
}

// However many pages are open, hone is asked once a second.
func TestPagesShareAFrame(t *testing.T) {
	r := newRig(t).as(access.Admin)
	c := &clock{at: time.Now()}
	r.page.o.Now = c.now
	r.page.frames.o = &r.page.o
	for range 20 {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { r.get("/ui/projects/3") })
		}
		wg.Wait()
		c.pass(frameTime / 2)
	}
	assert.Equal(t, 10, r.lists)
}

// readEvents reads names of events from a stream until n were read.
func readEvents(t *testing.T, body *bufio.Scanner, n int) (names []string) {
	t.Helper()
	for len(names) < n && body.Scan() {
		if name, ok := strings.CutPrefix(body.Text(), "event: "); ok {
			names = append(names, name)
		}
	}
	return names
}

// What has changed is sent, and nothing else; the stream ends with hone.
func TestEventsAreWhatChanged(t *testing.T) {
	r := newRig(t).as(access.Admin)
	server := httptest.NewServer(r.http)
	defer server.Close()
	page := r.get("/ui/projects/3").Body.String()
	var connect string
	elements(t, page, func(_ *html.Node, attr map[string]string) {
		if to := attr["sse-connect"]; to != "" {
			connect = strings.TrimPrefix(to, "../")
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/ui/"+connect, http.NoBody)
	require.NoError(t, err)
	req.AddCookie(r.cookie)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	assert.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	body := bufio.NewScanner(res.Body)
	r.with(func() {
		r.listing.Projects = append([]api.Project(nil), r.listing.Projects...)
		r.listing.Projects[0].Labels = 21
	})
	assert.Equal(t, []string{"facts"}, readEvents(t, body, 1))
	r.with(func() { r.meanings = api.Descriptions{} })
	assert.Equal(t, []string{"classes"}, readEvents(t, body, 1))
	close(r.done)
	for body.Scan() {
	}
	require.NoError(t, body.Err())
}

func TestAPageIsSmall(t *testing.T) {
	total := 0
	require.NoError(t, fs.WalkDir(assets, "assets", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, ".txt") {
			b, err := assets.ReadFile(path)
			require.NoError(t, err)
			total += len(b)
		}
		return err
	}))
	total += newRig(t).as(access.Admin).get("/ui/projects/3").Body.Len()
	assert.Less(t, total, 200_000)
}

// Describing one label changes that one, of that control, and nothing else.
func TestDescribingALabelKeepsTheOthers(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c", "topic"})
	lines := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"one", "two", "three"}), 0, 3, rapid.ID[string])
	controls := []string{"topic", "mood"}
	rapid.Check(t, func(t *rapid.T) {
		before, err := settings.ParseDescriptions([]byte(rapid.SampledFrom([]string{
			`{}`, `{"a":["any"]}`, `{"topic":{"a":["own"],"b":["x","y"]}}`, `{"a":["any"],"mood":{"a":["own"]}}`, `{"mood":{"gone":["z"]},"c":["any c"]}`,
		}).Draw(t, "before")))
		if err != nil {
			t.Fatal(err)
		}
		have := api.Descriptions{Descriptions: []byte(before.String())}
		if before.String() == "" {
			have.Descriptions = []byte("{}")
		}
		labels := map[string][]string{"topic": {"a", "b"}, "mood": {"a", "c"}}
		for _, c := range controls {
			of := api.DescribedControl{Control: c}
			for _, l := range labels[c] {
				of.Labels = append(of.Labels, api.DescribedLabel{Label: l, Lines: before.Lines(c, l)})
			}
			have.Controls = append(have.Controls, of)
		}
		control, label, to := rapid.SampledFrom(controls).Draw(t, "control"), name.Draw(t, "label"), lines.Draw(t, "lines")
		object, err := withLines(have, control, label, to)
		known := false
		for _, l := range labels[control] {
			known = known || l == label
		}
		if (err == nil) != known {
			t.Fatalf("%s/%s: %v", control, label, err)
		}
		if err != nil {
			return
		}
		after, err := settings.ParseDescriptions(object)
		if err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		for _, c := range controls {
			for _, l := range append(labels[c], "gone") {
				want := before.Lines(c, l)
				if c == control && l == label {
					want = to
				}
				if strings.Join(after.Lines(c, l), "|") != strings.Join(want, "|") {
					t.Fatalf("%s/%s: %v became %v in %s", c, l, want, after.Lines(c, l), object)
				}
			}
		}
	})
}
