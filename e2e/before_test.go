//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// before is the last commit of a hone that asked nobody for a secret.
const before = "c7214e5"

// binaryBefore builds it, once; "" where the repository is a shallow clone that has
// not got the commit.
var binaryBefore = sync.OnceValues(func() (string, error) {
	git := func(args ...string) *exec.Cmd { return exec.Command("git", args...) } //nolint:noctx,gosec // short, and of this file
	if git("cat-file", "-e", before+"^{commit}").Run() != nil {
		return "", nil
	}
	dir := filepath.Join(filepath.Dir(honeBinary), "before")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	tree := filepath.Join(dir, "tree.tar")
	archive := git("archive", "-o", tree, before)
	archive.Dir = ".." // of a directory, git archives that alone
	if out, err := archive.CombinedOutput(); err != nil {
		return "", fmt.Errorf("git archive: %w: %s", err, out)
	}
	if out, err := exec.Command("tar", "-xf", tree, "-C", dir).CombinedOutput(); err != nil { //nolint:noctx,gosec // short
		return "", fmt.Errorf("tar: %w: %s", err, out)
	}
	binary := filepath.Join(dir, "hone-before")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/hone") //nolint:noctx,gosec // the test's time bounds it
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build hone at %s: %w: %s", before, err, out)
	}
	return binary, nil
})

func theBinaryBefore(t *testing.T) string {
	t.Helper()
	binary, err := binaryBefore()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// makeOld turns what this hone has left into what one without a secret would have:
// no credentials in the directory, none in the registrations.
func (u *upgraded) makeOld() {
	u.t.Helper()
	for _, name := range []string{"secret", "admin-token", "identity"} {
		if err := os.Remove(filepath.Join(u.h.data(), name)); err != nil {
			u.t.Fatal(err)
		}
	}
	// Label Studio registers what answers, and hone must not hear of it.
	l, err := net.Listen("tcp", u.h.addr) //nolint:noctx // of this test
	if err != nil {
		u.t.Fatal(err)
	}
	stand := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch strings.Trim(r.URL.Path, "/") {
		case "health":
			_, _ = w.Write([]byte(`{"status":"UP","model_class":"Hone"}`))
		case "setup":
			_, _ = w.Write([]byte(`{"model_version":"hone-1"}`))
		default:
			http.NotFound(w, r)
		}
	})}
	ended := make(chan error, 1)
	go func() { ended <- stand.Serve(l) }()
	for i, p := range u.projects() {
		for _, b := range u.s.backends(p) {
			u.s.do("DELETE", fmt.Sprintf("/api/ml/%d", b.ID), nil, nil)
		}
		var hooks []struct{ ID int }
		u.s.do("GET", fmt.Sprintf("/api/webhooks/?project=%d", p), nil, &hooks)
		for _, h := range hooks {
			u.s.do("DELETE", fmt.Sprintf("/api/webhooks/%d/", h.ID), nil, nil)
		}
		if i == 0 { // `hone connect` made the webhook first; otherwise Label Studio makes it
			u.s.do("POST", "/api/webhooks/", map[string]any{
				"project": p, "url": u.h.url() + "/webhook", "send_payload": true, "send_for_all_actions": true, "is_active": true,
			}, nil)
		}
		if b := u.s.connectAsUI(p, u.h.url()); b.State != "CO" {
			u.t.Fatalf("backend state %q: %s", b.State, b.ErrorMessage)
		}
		u.s.dropDoubles(p)
		if hooks := u.s.hooks(p); len(hooks) == 0 || len(hooks[0].Headers) != 0 || strings.Contains(hooks[0].URL, "@") {
			u.t.Fatalf("project %d: webhooks made by hand: %+v", p, hooks)
		}
	}
	if err := stand.Close(); err != nil {
		u.t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		u.t.Fatal(err)
	}
}
