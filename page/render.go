package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/cut"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assets embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"percent": percent, "percentOf": percentOf, "when": when, "join": strings.Join, "count": count,
	"plural": plural, "short": short, "times100": func(f float64) float64 { return 100 * f },
}).ParseFS(templateFiles, "templates/*.html"))

// layout is what every page has.
type layout struct {
	// Title stands in the browser's tab.
	Title string
	// Root leads from the page to /ui/.
	Root string
	// Token is the form token; empty where nobody may change anything.
	Token string
	// SignedIn offers to sign out.
	SignedIn bool
	Version  string
	// Project is the one that the page is of; 0 for none. Frame is the frame that it shows.
	Project event.ProjectID
	Frame   uint64
	Live    bool
	Body    any
}

// rootOf leads from the page that was asked for to /ui/.
func rootOf(c *gin.Context) string {
	return strings.Repeat("../", max(0, strings.Count(strings.TrimPrefix(c.Request.URL.Path, "/ui/"), "/")))
}

// render writes a page of a template.
func (s *Server) render(c *gin.Context, status int, name string, l layout, body any) {
	l.Root, l.Body, l.Version = rootOf(c), body, s.o.Version
	if s.o.Admits(c.Request, access.Admin) {
		l.Token = s.o.Sessions.FormToken(c.Request)
	}
	l.SignedIn = s.o.Sessions.RoleOf(c.Request) != access.Public
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, l); err != nil {
		c.String(http.StatusInternalServerError, "This page cannot be shown: %v", err)
		return
	}
	c.Data(status, "text/html; charset=utf-8", bytes.ReplaceAll(out.Bytes(), []byte(s.placeholder), []byte(l.Token)))
}

// renderPart returns the HTML of a template for a part.
func renderPart(name string, body any) (part, error) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, "part-"+name, body); err != nil {
		return part{}, fmt.Errorf("page: %s: %w", name, err)
	}
	return part{name: name, html: out.Bytes()}, nil
}

// HTML is the part as templates include it. It was made by a template, which has escaped it.
func (p part) HTML() template.HTML { return template.HTML(p.html) } //nolint:gosec // see above

var assetTypes = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}

// serveAsset serves a file of how the page looks.
func serveAsset(c *gin.Context) {
	name := c.Param("name")
	b, err := assets.ReadFile(path.Join("assets", path.Base(name)))
	if err != nil {
		c.String(http.StatusNotFound, "hone's page has no such file")
		return
	}
	c.Header("Cache-Control", "max-age=3600")
	c.Data(http.StatusOK, assetTypes[path.Ext(name)], b)
}

// wantsHTML reports whether an Accept header names HTML before anything else, as browsers do.
func wantsHTML(accept string) bool {
	first, _, _ := strings.Cut(accept, ",")
	kind, _, _ := strings.Cut(first, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/html")
}

func percent(p *float64) string {
	if p == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100**p)
}

func percentOf(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}

// count writes a number with its thousands apart.
func count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// when writes a time, or a pointer to one.
func when(t any) string {
	at, _ := t.(time.Time)
	if p, ok := t.(*time.Time); ok && p != nil {
		at = *p
	}
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}

func roughly(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// short cuts a text for a table's cell.
func short(s string) string { return cut.Ellipsis(s, 160) }
