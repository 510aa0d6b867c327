//go:build e2e

package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// attackerRole in the environment makes the test binary an attacker for the test
// that started it: shots on standard input, replies on standard output.
const attackerRole = "E2E_ATTACKER"

// shot is one request, written as it stands: an HTTP client would tidy up just
// what an attacker plays with.
type shot struct {
	To, Method, Target string
	Header             [][2]string
	Body               string
}

// reply is what came back; Status 0 when nothing did.
type reply struct {
	Status   int
	Location string
	Body     string
	Fault    string
}

func (s shot) with(header ...[2]string) shot {
	s.Header = slices.Concat(s.Header, header)
	return s
}

func (s shot) String() string { return s.Method + " " + s.Target }

// has reports whether a header is there.
func (s shot) has(name string) bool {
	return slices.ContainsFunc(s.Header, func(h [2]string) bool { return strings.EqualFold(h[0], name) })
}

// maxReply bounds what is kept of an answer.
const maxReply = 4 << 20

// fire sends one shot on a connection of its own. limit is the client's patience.
func fire(s shot, limit time.Duration) reply {
	conn, err := net.DialTimeout("tcp", s.To, limit)
	if err != nil {
		return reply{Fault: err.Error()}
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(limit))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", s.Method, s.Target)
	if !s.has("Host") {
		fmt.Fprintf(&b, "Host: %s\r\n", s.To)
	}
	for _, h := range s.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if s.Body != "" {
		if !s.has("Content-Type") {
			b.WriteString("Content-Type: application/json\r\n")
		}
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(s.Body))
	}
	b.WriteString("Connection: close\r\n\r\n" + s.Body)
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return reply{Fault: err.Error()}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: s.Method})
	if err != nil {
		return reply{Fault: err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	return reply{Status: resp.StatusCode, Location: resp.Header.Get("Location"), Body: fmt.Sprint(resp.Header) + string(body)}
}

// patience is an attacker's: more than hone takes for any answer here.
const patience = 10 * time.Second

func fireAll(shots []shot) []reply {
	out := make([]reply, len(shots))
	for i, s := range shots {
		out[i] = fire(s, patience)
	}
	return out
}

func fireForParent() int {
	var shots []shot
	if err := json.NewDecoder(os.Stdin).Decode(&shots); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(fireAll(shots)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func basicHeader(user, password string) [2]string {
	return [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
}

func bearer(token string) [2]string { return [2]string{"Authorization", "Bearer " + token} }

// route is one of hone's.
type route struct {
	method, path string
	public       bool
}

// signInWithout is the public route that refuses whoever proves nothing.
const signInWithout = "POST /ui/sign-in"

// routes are all of hone's; a test in internal/app keeps the list complete.
func routes(t testing.TB) (all []route) {
	t.Helper()
	b, err := os.ReadFile("testdata/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			t.Fatalf("routes.txt: %q", line)
		}
		path := strings.ReplaceAll(f[1], ":name", "page.css")
		all = append(all, route{f[0], path, len(f) > 2 && f[2] == "public"})
	}
	if len(all) < 20 {
		t.Fatalf("only %d routes", len(all))
	}
	return all
}

// calls notes who called.
type calls struct {
	mu  sync.Mutex
	all []string
}

func (c *calls) note(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, r.Method+" "+r.URL.RequestURI())
}

// since are the calls after the first n.
func (c *calls) since(n int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all[n:])
}

func (c *calls) count() int { return len(c.since(0)) }

// trap is the attacker's own server. It passes for a Label Studio that takes every
// token and lists no backend.
type trap struct {
	calls
	url string
}

func newTrap(t testing.TB) *trap {
	tr := &trap{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tr.note(r)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(r.URL.Path, "whoami"):
			_, _ = io.WriteString(w, `{"id": 1, "email": "attacker@example.com"}`)
		case strings.HasPrefix(r.URL.Path, "/api/ml"):
			_, _ = io.WriteString(w, `[]`)
		default:
			_, _ = io.WriteString(w, `{"id": 1, "title": "trap", "label_config": "<View/>"}`)
		}
	}))
	t.Cleanup(s.Close)
	tr.url = s.URL
	return tr
}

// tap stands between hone and Label Studio and notes what hone asks.
type tap struct {
	calls
	url string
}

func newTap(t testing.TB) *tap {
	t.Helper()
	at, err := url.Parse(os.Getenv("HONE_LS_URL"))
	if err != nil {
		t.Fatal(err)
	}
	tp := &tap{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tp.note(r)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	tp.url = s.URL
	return tp
}

// everywhere makes a hone listen on all addresses, as it does unless told
// otherwise: at the default port if that is free.
func everywhere(t testing.TB, h *hone) *hone {
	t.Helper()
	_, port, err := net.SplitHostPort(h.addr)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("tcp", ":9090"); err == nil { //nolint:noctx // closed at once
		_ = l.Close()
		port = "9090"
	}
	h.addr, h.listen = net.JoinHostPort("127.0.0.1", port), ":"+port
	return h
}

// at is hone's address under another name of the machine.
func (h *hone) at(host string) string {
	_, port, _ := net.SplitHostPort(h.addr)
	return net.JoinHostPort(host, port)
}
