//go:build e2e

// Package e2e drives the built hone binary against a real Label Studio. Run it
// with `make test-e2e`, which starts both.
package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

var honeBinary string

func TestMain(m *testing.M) {
	if os.Getenv(attackerRole) != "" { // this process is the attacker of another one's test
		os.Exit(fireForParent())
	}
	os.Exit(func() int {
		if honeBinary = os.Getenv("HONE_E2E_BINARY"); honeBinary != "" { // say, an old one, to see what it lets through
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "hone-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		honeBinary = filepath.Join(dir, "hone")
		build := exec.Command("go", "build", "-o", honeBinary, "../cmd/hone") //nolint:noctx // before any test
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build hone: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// hone is one running binary.
type hone struct {
	t    *testing.T
	addr string
	dir  string
	env  []string
	cmd  *exec.Cmd
	log  string
	api  *api.Client
	// listen is the address it listens on; empty: addr, where no secret is needed.
	listen string
	// binary is what is run, the one that was just built unless it is set; flags are
	// further ones of serve; files, unless 0, is how many it may hold open.
	binary string
	flags  []string
	files  int
}

// newHone prepares a hone on a free port with an empty data directory.
func newHone(t *testing.T, env ...string) *hone {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	return &hone{t: t, addr: addr, listen: addr, dir: dir, env: env, log: filepath.Join(dir, "hone.log"), api: &api.Client{Base: "http://" + addr}}
}

func (h *hone) url() string { return "http://" + h.addr }

// program and where are the binary and the flags that lead to its data.
func (h *hone) program() string { return cmp.Or(h.binary, honeBinary) }

func (h *hone) where() []string {
	return []string{"--listen", cmp.Or(h.listen, h.addr), "--data-dir", h.data()}
}

// start runs the binary and waits until it is ready.
func (h *hone) start() {
	h.t.Helper()
	h.launch()
	until(h.t, 30*time.Second, "hone is ready", func() bool {
		resp, err := http.Get(h.url() + "/readyz") //nolint:noctx // polled
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		// Else another hone, of another run, is at that port.
		return resp.StatusCode == http.StatusOK && strings.Contains(tail(h.log, 1000), "hone serves")
	})
}

// launch runs the binary.
func (h *hone) launch() {
	h.t.Helper()
	f, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	args := append(append([]string{h.program(), "serve"}, h.flags...), h.where()...)
	if h.files > 0 {
		args = append([]string{"sh", "-c", `ulimit -n "$0" && exec "$@"`, fmt.Sprint(h.files)}, args...)
	}
	h.cmd = exec.Command(args[0], args[1:]...) //nolint:noctx // stopped by the test
	h.cmd.Env = append(cleanEnv(), h.env...)
	h.cmd.Stdout, h.cmd.Stderr = f, f
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	_ = f.Close()
	h.t.Cleanup(func() {
		h.stop(syscall.SIGKILL)
		if h.t.Failed() {
			h.t.Logf("end of hone's log:\n%s", tail(h.log, 60))
		}
	})
}

// stop sends a signal and waits for the end.
func (h *hone) stop(sig syscall.Signal) {
	if h.cmd == nil || h.cmd.ProcessState != nil {
		return
	}
	_ = h.cmd.Process.Signal(sig)
	_ = h.cmd.Wait()
}

// run runs another command of the same hone and returns what it printed.
func (h *hone) run(args ...string) (string, error) {
	cmd := exec.CommandContext(h.t.Context(), h.program(), append(args, h.where()...)...)
	cmd.Env = append(cleanEnv(), h.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h *hone) status(project int) api.Project {
	h.t.Helper()
	var p api.Project
	resp, err := h.get(fmt.Sprintf("/api/projects/%d", project))
	if err != nil {
		return p
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			h.t.Fatal(err)
		}
	}
	return p
}

// await waits until the project's status fulfils a condition.
func (h *hone) await(project int, what string, cond func(api.Project) bool) api.Project {
	h.t.Helper()
	return h.awaitWithin(3*time.Minute, project, what, cond)
}

// awaitWithin is await for what may take longer.
func (h *hone) awaitWithin(most time.Duration, project int, what string, cond func(api.Project) bool) api.Project {
	h.t.Helper()
	var p api.Project
	deadline := time.Now().Add(most)
	for time.Now().Before(deadline) {
		if p = h.status(project); p.ID != 0 && cond(p) {
			return p
		}
		pause()
	}
	b, _ := json.Marshal(p)
	h.t.Fatalf("never happened: %s; last status %.1500s", what, b)
	return p
}

// answer is what hone predicts of a text, and how sure it is.
type answer struct {
	label string
	score float64
}

// predict asks the ML backend in its bare form.
func (h *hone) predict(texts []string) []answer {
	h.t.Helper()
	type task struct {
		Data map[string]string `json:"data"`
	}
	var req struct {
		Tasks []task `json:"tasks"`
	}
	for _, x := range texts {
		req.Tasks = append(req.Tasks, task{map[string]string{"text": x}})
	}
	b, _ := json.Marshal(req)
	resp, err := http.Post(h.url()+"/predict", "application/json", bytes.NewReader(b)) //nolint:noctx // short
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	var out struct {
		Results []struct {
			Result []struct {
				Value struct{ Choices []string }
			}
			Score float64
		}
	}
	if err := json.Unmarshal(body, &out); err != nil || len(out.Results) != len(texts) {
		h.t.Fatalf("/predict: %v, %d results for %d tasks: %.300s", err, len(out.Results), len(texts), body)
	}
	answers := make([]answer, len(texts))
	for i, r := range out.Results {
		if len(r.Result) > 0 && len(r.Result[0].Value.Choices) > 0 {
			answers[i] = answer{r.Result[0].Value.Choices[0], r.Score}
		}
	}
	return answers
}

// cleanEnv is the environment without settings that would reach hone.
func cleanEnv() []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "HONE_") && !strings.HasPrefix(kv, "LABEL_STUDIO_") {
			out = append(out, kv)
		}
	}
	return out
}

func until(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		pause()
	}
}

// pause is the step of a wait for a condition.
func pause() { <-time.After(20 * time.Millisecond) }

func tail(file string, n int) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// example is one line of the shipped data.
type example struct {
	Text  string `json:"text"`
	Label string `json:"label"`
}

func load(t testing.TB, name string) []example {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "data", "clinc10", name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []example
	dec := json.NewDecoder(f)
	for {
		var e example
		if err := dec.Decode(&e); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
}
