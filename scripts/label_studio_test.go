// Package scripts_test tries the scripts with a small program in Label Studio's
// place; the end-to-end tests use the real one.
package scripts_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// standIn answers what the script waits for. It notes each start of an empty
// data directory, as migrations would make one slow.
const standIn = `#!/usr/bin/env python3
import http.server, json, os, socket, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
data = os.environ["LABEL_STUDIO_BASE_DATA_DIR"]
if "POSTGRE_PORT" in os.environ:
    socket.create_connection((os.environ["POSTGRE_HOST"], int(os.environ["POSTGRE_PORT"]))).close()
    assert os.environ["DJANGO_DB"] == "default" and os.environ["POSTGRE_PASSWORD"]
if not os.path.exists(data + "/label_studio.sqlite3"):
    open(data + "/label_studio.sqlite3", "w").write(os.environ["LABEL_STUDIO_USER_TOKEN"])
    open(data + "/.env", "w").write("SECRET_KEY=x")
    open(os.environ["MIGRATIONS"], "a").write("migrated\n")
token = open(data + "/label_studio.sqlite3").read()
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ok = self.path == "/health" or self.headers.get("Authorization") == "Token " + token
        self.send_response(200 if ok else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"status": "UP", "email": os.environ["LABEL_STUDIO_USERNAME"]}).encode())
http.server.HTTPServer(("127.0.0.1", port), H).serve_forever()
`

type machine struct {
	dir string
	env []string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "the tests of Label Studio need python3")
	m := machine{dir: t.TempDir()}
	venv := filepath.Join(m.dir, "venv")
	require.NoError(t, os.MkdirAll(filepath.Join(venv, "bin"), 0o700))
	require.NoError(t, os.Symlink(python, filepath.Join(venv, "bin", "python")))
	require.NoError(t, os.WriteFile(filepath.Join(venv, "bin", "label-studio"), []byte(standIn), 0o700)) //nolint:gosec // it must run
	script, err := os.ReadFile("label-studio")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^VERSION="\$\{HONE_LS_VERSION:-(.*)\}"$`).FindSubmatch(script)
	require.NotNil(t, version)
	require.NoError(t, os.WriteFile(filepath.Join(venv, ".hone-complete"), version[1], 0o600))
	m.env = append(os.Environ(), "HONE_LS_VENV="+venv, "MIGRATIONS="+filepath.Join(m.dir, "migrations"), "HONE_LS_WAIT=120")
	return m
}

func (m machine) run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "./label-studio", args...)
	var out, fault strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = m.env, &out, &fault
	err = cmd.Run()
	return out.String(), fault.String(), err
}

// down is for cleaning up, when the test's context is over.
func (m machine) down(dir string) {
	cmd := exec.CommandContext(context.Background(), "./label-studio", "down", "--dir", dir)
	cmd.Env = m.env
	_ = cmd.Run()
}

func field(t *testing.T, out, name string) string {
	t.Helper()
	v := regexp.MustCompile(`(?m)^` + name + `=(.+)$`).FindStringSubmatch(out)
	require.NotNil(t, v, "%s in %q", name, out)
	return v[1]
}

// alive is false for a zombie too: in a container nobody may collect it.
func alive(t *testing.T, pid string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-p", pid, "-o", "stat=").Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func TestUpAndDown(t *testing.T) {
	m := newMachine(t)
	dir := filepath.Join(m.dir, "a")
	out, fault, err := m.run(t, "up", "--dir", dir, "--port", "0")
	require.NoError(t, err, fault)
	t.Cleanup(func() { m.down(dir) })
	pid, url := field(t, out, "LS_PID"), field(t, out, "LS_URL")
	for _, name := range []string{"LS_TOKEN", "LS_USER", "LS_PASSWORD"} {
		field(t, out, name)
	}
	again, _, err := m.run(t, "up", "--dir", dir, "--port", "0")
	require.NoError(t, err)
	require.Equal(t, out, again, "already running")
	_, fault, err = m.run(t, "up", "--dir", dir, "--port", "1")
	require.Error(t, err)
	require.Contains(t, fault, "already running at "+url)

	other := filepath.Join(m.dir, "b")
	t.Cleanup(func() { m.down(other) })
	_, fault, err = m.run(t, "up", "--dir", other, "--port", url[strings.LastIndex(url, ":")+1:])
	require.Error(t, err)
	require.Contains(t, fault, "in use by another process")
	out, fault, err = m.run(t, "up", "--dir", other, "--port", "0")
	require.NoError(t, err, fault)
	token, _, err := m.run(t, "token", "--dir", other)
	require.NoError(t, err)
	require.Equal(t, field(t, out, "LS_TOKEN"), strings.TrimSpace(token))
	migrations, err := os.ReadFile(filepath.Join(m.dir, "migrations"))
	require.NoError(t, err)
	require.Equal(t, "migrated\n", string(migrations), "the second directory is a copy")
	require.NoFileExists(t, filepath.Join(other, "data", ".env"), "a copy has a key of its own")

	_, _, err = m.run(t, "down", "--dir", other)
	require.NoError(t, err)
	require.False(t, alive(t, field(t, out, "LS_PID")))
	require.True(t, alive(t, pid), "the other one runs on")
	_, _, err = m.run(t, "down", "--dir", dir)
	require.NoError(t, err)
	require.False(t, alive(t, pid))
	_, _, err = m.run(t, "down", "--dir", dir)
	require.NoError(t, err, "nothing to do")

	// Other credentials must not get the database made for the first ones.
	out, fault, err = m.run(t, "up", "--dir", filepath.Join(m.dir, "c"), "--port", "0", "--token", "other-token", "--user", "x@example.com")
	require.NoError(t, err, fault)
	require.Equal(t, "other-token", field(t, out, "LS_TOKEN"))
	_, _, err = m.run(t, "down", "--dir", filepath.Join(m.dir, "c"))
	require.NoError(t, err)
}

// down must not end a process that only happens to have the number.
func TestDownSparesStrangers(t *testing.T) {
	m := newMachine(t)
	require.NoError(t, os.WriteFile(filepath.Join(m.dir, "server.env"), fmt.Appendf(nil, "LS_PID=%d\n", os.Getpid()), 0o600))
	_, fault, err := m.run(t, "down", "--dir", m.dir)
	require.NoError(t, err)
	require.Contains(t, fault, "not running any more")
}

func TestRunStopsTheServer(t *testing.T) {
	m := newMachine(t)
	out, fault, err := m.run(t, "run", "--dir", filepath.Join(m.dir, "a"), "--port", "0", "--",
		"sh", "-c", `echo "URL=$HONE_LS_URL"; echo "TOKEN=$HONE_LS_TOKEN"; echo "PID=$LS_PID"; exit 7`)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, fault)
	require.Equal(t, 7, exit.ExitCode(), "the command's own")
	require.Contains(t, field(t, out, "URL"), "http://127.0.0.1:")
	field(t, out, "TOKEN")
	require.False(t, alive(t, field(t, out, "PID")))
}

// Not even kill -9 leaves a server behind.
func TestNothingOutlivesItsOwner(t *testing.T) {
	m := newMachine(t)
	pidFile := filepath.Join(m.dir, "pid")
	cmd := exec.CommandContext(t.Context(), "./label-studio", "run", "--dir", filepath.Join(m.dir, "a"), "--port", "0", "--",
		"sh", "-c", `echo $LS_PID > "$0.tmp"; mv "$0.tmp" "$0"; exec sleep 300`, pidFile)
	t.Cleanup(func() { m.down(filepath.Join(m.dir, "a")) })
	cmd.Env, cmd.SysProcAttr = m.env, &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(pidFile); return err == nil }, 2*time.Minute, 20*time.Millisecond)
	pid, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	server := strings.TrimSpace(string(pid))
	require.True(t, alive(t, server))
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)) // the script and its command, by their own group
	_ = cmd.Wait()
	require.Eventually(t, func() bool { return !alive(t, server) }, 2*time.Minute, 50*time.Millisecond)
}

func TestClearErrors(t *testing.T) {
	m := newMachine(t)
	python := func(script string) string {
		path := filepath.Join(t.TempDir(), "python3")
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700)) //nolint:gosec // it must run
		return path
	}
	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "precious"), nil, 0o600))
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = busy.Close() }()
	dir := filepath.Join(m.dir, "x")
	for _, tt := range []struct {
		env  []string
		args []string
		want string
	}{
		{[]string{"PYTHON=" + python(`case "$*" in *"(3, 10)"*) exit 1;; *--version*) echo Python 3.8.1;; esac`), "HONE_LS_VENV=" + dir}, []string{"install"}, "3.8.1; Label Studio"},
		{[]string{"PYTHON=" + python(`case "$*" in *ensurepip*) exit 1;; *%d*) echo 3.11;; esac`), "HONE_LS_VENV=" + dir}, []string{"install"}, "sudo apt install python3.11-venv"},
		{[]string{"PYTHON=/nowhere/python", "HONE_LS_VENV=" + dir}, []string{"install"}, "no /nowhere/python found"},
		{[]string{"HONE_LS_VENV=" + foreign}, []string{"install"}, "is no virtual environment"},
		{nil, []string{"up", "--dir", dir, "--port", fmt.Sprint(busy.Addr().(*net.TCPAddr).Port)}, "in use"},
		{nil, []string{"up"}, "--dir"},
		{nil, []string{"up", "--dir", dir, "--port", "x"}, "not a number"},
		{nil, []string{"up", "--dir", dir, "--database", "oracle"}, "neither sqlite nor postgres"},
		{nil, []string{"up", "--dir", dir, "--token", strings.Repeat("x", 41)}, "40 characters"},
		{nil, []string{"up", "--dri", dir}, "unknown option --dri"},
		{nil, []string{"up", "--dir"}, "needs a value"},
		{nil, []string{"frobnicate"}, "unknown command"},
		{nil, []string{"run", "--dir", dir}, "needs a command"},
		{nil, []string{"env", "--dir", dir}, "nothing is running"},
	} {
		m := m
		m.env = append(m.env[:len(m.env):len(m.env)], tt.env...)
		_, fault, err := m.run(t, tt.args...)
		require.Error(t, err, tt.args)
		require.Contains(t, fault, tt.want)
	}
	require.FileExists(t, filepath.Join(foreign, "precious"))
}
