//go:build e2e

package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// witness collects everything that hone lets out, and what must not be in it.
type witness struct {
	t     *testing.T
	h     *hone
	seen  map[string][]byte // by where it was seen
	never map[string]string // what a secret is called, by the secret
}

func newWitness(t *testing.T, h *hone) *witness {
	return &witness{t: t, h: h, seen: map[string][]byte{}, never: map[string]string{}}
}

func (w *witness) saw(where string, b []byte) {
	if n := len(w.seen); w.seen[where] != nil {
		where = fmt.Sprintf("%s (%d)", where, n)
	}
	w.seen[where] = append([]byte{}, b...)
}

// keys adds what lies in hone's directory now.
func (w *witness) keys() {
	w.t.Helper()
	for _, name := range []string{"secret", "admin-token", "identity"} {
		v := w.h.file(name)
		if v == "" {
			w.t.Fatalf("there is no %s", name)
		}
		w.never[v] = name
	}
}

// run runs a command; `hone secret` may print the secret, but not where errors go.
func (w *witness) run(args ...string) {
	w.t.Helper()
	out, _ := w.h.run(args...)
	w.saw("hone "+strings.Join(args, " "), []byte(out))
}

// ask sends requests with the credentials given, to all of hone's own routes that
// answer something.
func (w *witness) ask(project int, token string) {
	w.t.Helper()
	for _, path := range []string{
		"/", "/health", "/readyz", "/metrics", "/api/projects", fmt.Sprintf("/api/projects/%d", project), fmt.Sprintf("/api/projects/%d/versions", project),
		"/api/projects/99999", "/api/deadletters", "/api/secret", "/api/nothing",
	} {
		status, body := w.h.call("GET", path, "", "Authorization", "Bearer "+token, "X-Hone-Challenge", strings.Repeat("0f", 16))
		w.saw(fmt.Sprintf("GET %s: %d", path, status), []byte(body))
	}
}

// misuse sends what is wrong, with wrong credentials and with right ones in wrong
// places.
func (w *witness) misuse(project int) {
	w.t.Helper()
	const wrong = "not-the-password-of-anything"
	w.never[wrong] = "a wrong password"
	secret, admin := w.h.secret(), w.h.admin()
	right := basic("hone", secret)
	for _, r := range [][]string{
		{"GET", "/api/projects", "", "Authorization", "Bearer " + wrong},
		{"GET", "/api/projects", "", "Authorization", right},
		{"POST", "/webhook", "{}", "X-Hone-Secret", wrong},
		{"POST", "/webhook", "{}", "X-Hone-Secret", admin},
		{"POST", "/webhook", "{", "X-Hone-Secret", secret},
		{"POST", "/webhook", forget(project, 1), "Authorization", basic("hone", wrong)},
		{"POST", "/setup", "{}", "Authorization", basic(wrong, wrong)},
		{"POST", "/setup", `{"project":"nothing","access_token":"` + wrong + `"}`, "Authorization", right},
		{"POST", "/predict", `{"tasks":[{}]`, "Authorization", right},
		{"GET", "/" + secret, "", "Authorization", right},
		{"GET", "/api/projects/1?token=" + admin + "&secret=" + secret, ""},
		{"DELETE", "/webhook/" + admin, ""},
		{"GET", "/versions", "", "Authorization", right},
	} {
		status, body := w.h.call(r[0], r[1], r[2], r[3:]...)
		w.saw(fmt.Sprintf("misuse %s %.10s: %d", r[0], r[1], status), []byte(body))
	}
}

// files adds the files in the data directory but for those that are there to hold
// a secret.
func (w *witness) files() {
	w.t.Helper()
	holders := []string{"secret", "secret.previous", "admin-token", "identity", "label-studio.json"}
	err := filepath.WalkDir(w.h.data(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || slices.Contains(holders, e.Name()) {
			return err
		}
		w.file(path)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *witness) file(path string) {
	w.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.saw("file "+path, b)
}

// backup writes a backup, and makes a directory of it.
func (w *witness) backup() {
	w.t.Helper()
	dir := w.t.TempDir()
	file, restored := filepath.Join(dir, "hone.backup"), filepath.Join(dir, "restored")
	w.run("backup", file)
	w.file(file)
	out, err := exec.CommandContext(w.t.Context(), honeBinary, "restore", file, "--data-dir", restored).CombinedOutput()
	if err != nil {
		w.t.Fatalf("restore: %v\n%s", err, out)
	}
	w.saw("hone restore", out)
	w.file(filepath.Join(restored, "hone.db"))
}

// check looks for every secret, in every form, in everything that was seen.
func (w *witness) check(contains ...string) {
	w.t.Helper()
	w.file(w.h.log)
	text := string(w.seen["file "+w.h.log])
	for _, want := range contains { // else there was nothing to look through
		if !strings.Contains(text, want) {
			w.t.Errorf("the log never says %q", want)
		}
	}
	for secret, name := range w.never {
		if len(secret) < 8 {
			w.t.Fatalf("%s is too short to be looked for", name)
		}
		for form, v := range forms(secret) {
			for where, b := range w.seen {
				if i := bytes.Index(b, []byte(v)); i >= 0 {
					w.t.Errorf("%s (%s) is in %s: …%q", name, form, where, strings.ReplaceAll(string(b[max(0, i-200):i]), secret, "HERE")+"HERE")
				}
			}
		}
	}
	w.t.Logf("%d secrets are in none of %d texts, the log of %d kB among them", len(w.never), len(w.seen), len(text)/1000)
}

// forms are the ways in which a secret is written.
func forms(secret string) map[string]string {
	std, raw := base64.StdEncoding, base64.RawStdEncoding
	return map[string]string{
		"as it is": secret, "in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret),
		"in base64": raw.EncodeToString([]byte(secret)), "with its user": std.EncodeToString([]byte("hone:" + secret)),
		"quoted": strings.Trim(fmt.Sprintf("%q", secret), `"`),
	}
}
