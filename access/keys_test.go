package access

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func mode(t *testing.T, dir, name string) os.FileMode {
	t.Helper()
	fi, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return fi.Mode().Perm()
}

func TestFirstStartMakesTheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	k := open(t, Options{Dir: dir})
	if !k.First() {
		t.Error("the first start is not known as such")
	}
	seen := map[string]bool{}
	for _, name := range []string{secretFile, adminFile, identityFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSuffix(string(b), "\n")
		if len(line) != 32 || strings.ContainsAny(line, " \n/+=:@") || seen[line] {
			t.Errorf("%s: %q", name, line)
		}
		seen[line] = true
		if m := mode(t, dir, name); m != 0o600 {
			t.Errorf("%s has mode %o", name, m)
		}
	}
	again := open(t, Options{Dir: dir})
	if again.First() || again.Backend() != k.Backend() {
		t.Error("a second start makes others")
	}
	if token, err := AdminToken(dir); err != nil || token != k.o.AdminToken {
		t.Errorf("the commands find %q, %v", token, err)
	}
	if token, err := AdminToken(t.TempDir()); err != nil || token != "" {
		t.Errorf("where there is none, the commands find %q, %v", token, err)
	}
}

func TestFilesThatWereTouched(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		mode    os.FileMode
		want    string // "" is a new one
		fails   string
	}{
		"written by hand":    {"mine\r\n", 0o644, "mine", ""},
		"spaces around":      {"  mine  \n\n", 0o600, "mine", ""},
		"empty":              {"", 0o600, "", ""},
		"only an end":        {"\n", 0o600, "", ""},
		"two lines":          {"one\ntwo\n", 0o600, "", "not one line"},
		"not text":           {"\x00\xff", 0o600, "", "not one line"},
		"more than a line's": {strings.Repeat("x", 1<<20), 0o600, "", secretFile},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, secretFile), []byte(tc.content), tc.mode); err != nil { //nolint:gosec // the test wants it open
				t.Fatal(err)
			}
			k, err := Open(Options{Dir: dir})
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Fatalf("error: %v", err)
				}
				if len(tc.content) > 2 && strings.Contains(err.Error(), tc.content) {
					t.Errorf("the error holds the content: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := k.Backend().Password
			if tc.want != "" && got != tc.want || tc.want == "" && len(got) != 32 {
				t.Errorf("secret %q", got)
			}
			if m := mode(t, dir, secretFile); m != 0o600 {
				t.Errorf("mode %o", m)
			}
		})
	}
}

// What was configured before there was a secret goes on working and counts as it.
func TestConfiguredSecrets(t *testing.T) {
	for name, tc := range map[string]struct {
		o       Options
		backend Pair
		hook    string // "" is the file's
	}{
		"HONE_SECRET":             {Options{Secret: "s"}, Pair{User, "s"}, "s"},
		"BASIC_AUTH":              {Options{Basic: Pair{"ls", "pw"}}, Pair{"ls", "pw"}, ""},
		"webhook.secret":          {Options{HookSecret: "h"}, Pair{User, "h"}, "h"},
		"BASIC_AUTH and a hook's": {Options{Basic: Pair{"ls", "pw"}, HookSecret: "h"}, Pair{"ls", "pw"}, "h"},
		"everything":              {Options{Secret: "s", Basic: Pair{"ls", "pw"}, HookSecret: "h"}, Pair{User, "s"}, "h"},
	} {
		t.Run(name, func(t *testing.T) {
			k := open(t, tc.o)
			if got := k.Backend(); got != tc.backend {
				t.Errorf("backend: %+v", got)
			}
			header, value := k.Hook()
			if header != "X-Hone-Secret" || tc.hook != "" && value != tc.hook || tc.hook == "" && len(value) != 32 {
				t.Errorf("hook: %s: %s", header, value)
			}
			if !k.Current(k.Backend()) || !k.CurrentHook(value) || !k.Configured() {
				t.Error("it does not count")
			}
			if err := k.Rotate(); !errors.Is(err, ErrConfigured) {
				t.Errorf("rotated: %v", err)
			}
			shown, err := Read(k.o)
			if err != nil || shown != tc.backend {
				t.Errorf("shown: %+v, %v", shown, err)
			}
		})
	}
}

func TestReadMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Read(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("error: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a directory was made")
	}
	k := open(t, Options{Dir: dir})
	if got, err := Read(Options{Dir: dir}); err != nil || got != k.Backend() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	k := open(t, Options{Dir: dir})
	old := k.Backend()
	for range 2 { // twice: registrations still carry the first
		if err := k.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	for name, keys := range map[string]*Keys{"running": k, "started again": open(t, Options{Dir: dir})} {
		t.Run(name, func(t *testing.T) {
			if !keys.Rotating() || keys.Backend() == old || keys.Backend() != k.Backend() {
				t.Errorf("rotating %v", keys.Rotating())
			}
			if keys.proofOfPair(old) != Stale || keys.proofOfHook(old.Password) != Stale || keys.Current(old) || keys.CurrentHook(old.Password) {
				t.Error("the old one is not what it should be")
			}
			if keys.proofOfPair(keys.Backend()) != Proven {
				t.Error("the new one does not count")
			}
		})
	}
	if err := k.Retire(); err != nil {
		t.Fatal(err)
	}
	if err := k.Retire(); err != nil {
		t.Errorf("once more: %v", err)
	}
	if k.Rotating() || k.proofOfPair(old) != Unproven || open(t, Options{Dir: dir}).proofOfPair(old) != Unproven {
		t.Error("the old one still counts")
	}
}

func TestAllSecretsAreToldForRedaction(t *testing.T) {
	k := open(t, Options{Basic: Pair{"ls", "the password"}, ViewToken: "view"})
	all := k.All()
	for _, want := range []string{k.secret, "the password", "view", k.o.AdminToken, string(k.identity.key)} {
		if !slices.Contains(all, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	a, again, b := open(t, Options{Dir: dir}).Identity(), open(t, Options{Dir: dir}).Identity(), open(t, Options{}).Identity()
	nonce := NewChallenge()
	if nonce == NewChallenge() {
		t.Error("a challenge twice")
	}
	answer := a.Sign(nonce)
	if !again.Verify(nonce, answer) {
		t.Error("after a restart hone does not know itself")
	}
	if b.Verify(nonce, answer) || a.Verify(NewChallenge(), answer) || a.Verify(nonce, "") || a.Verify("", "") || a.Verify("x", a.Sign("x")) {
		t.Error("verified what is not so")
	}
}

func TestRoles(t *testing.T) {
	for route, want := range map[string]Role{
		"GET /": Public, "HEAD /": Public, "GET /health": Public, "GET /health/": Public, "HEAD /health": Public, "GET /healthz": Public, "GET /readyz": Public,
		"POST /webhook": LabelStudio, "POST /webhook/": LabelStudio, "POST /setup": LabelStudio, "POST /predict/": LabelStudio, "GET /versions": LabelStudio,
		"GET /metrics": View, "GET /api/projects": View, "GET /api/projects/:id": View,
		"GET /api/backup": Admin, "HEAD /api/backup": Admin, "POST /api/projects/:id/connect": Admin, "PATCH /api/projects/:id": Admin,
		"GET /api/projects/:id/descriptions": View, "PUT /api/projects/:id/descriptions": Admin,
		"POST /": Admin, "GET /something": Admin, "GET /debug/pprof": Admin, "POST /health": Admin, "GET /webhook": Admin, "GET ": Admin,
	} {
		method, path, _ := strings.Cut(route, " ")
		if got := RoleOf(method, path); got != want {
			t.Errorf("%s: role %d, want %d", route, got, want)
		}
	}
}
