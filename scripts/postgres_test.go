package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newPostgresMachine is one whose PostgreSQL is the real one.
func newPostgresMachine(t *testing.T) machine {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if _, err := exec.LookPath("pg_ctl"); err != nil && len(found) == 0 {
		t.Skip("no PostgreSQL is installed; make test-long installs it")
	}
	m := newMachine(t)
	// As root another user runs it, who must get there.
	for _, dir := range []string{filepath.Dir(m.dir), m.dir} {
		require.NoError(t, os.Chmod(dir, 0o711)) //nolint:gosec // nothing is read there
	}
	return m
}

// postgres returns the process id of the server in a directory, "" if none runs.
func postgres(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "./postgres", "pid", filepath.Join(dir, "postgres")).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

func TestPostgres(t *testing.T) {
	m := newPostgresMachine(t)
	dir := filepath.Join(m.dir, "a")
	t.Cleanup(func() { m.down(dir) })
	out, fault, err := m.run(t, "up", "--dir", dir, "--port", "0", "--database", "postgres")
	require.NoError(t, err, fault)
	require.Equal(t, "postgres", field(t, out, "LS_DATABASE"))
	require.NotContains(t, out, "POSTGRE", "its password is nobody's business")
	first := postgres(t, dir)
	require.NotEmpty(t, first)
	_, fault, err = m.run(t, "down", "--dir", dir+"/")
	require.NoError(t, err, fault)
	require.Empty(t, postgres(t, dir))

	// What it is made with it keeps.
	out, fault, err = m.run(t, "up", "--dir", dir, "--port", "0")
	require.NoError(t, err, fault)
	require.Equal(t, "postgres", field(t, out, "LS_DATABASE"))
	require.NotEqual(t, first, postgres(t, dir))
	_, _, err = m.run(t, "down", "--dir", dir)
	require.NoError(t, err)
	require.Empty(t, postgres(t, dir))
	_, fault, err = m.run(t, "up", "--dir", dir, "--port", "0", "--database", "sqlite")
	require.Error(t, err)
	require.Contains(t, fault, "was made with postgres")
	require.Empty(t, postgres(t, dir))

	out, fault, err = m.run(t, "run", "--dir", dir, "--port", "0", "--", "sh", "-c", `./postgres pid "$0"; exit 7`, filepath.Join(dir, "postgres"))
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, fault)
	require.Equal(t, 7, exit.ExitCode(), "the command's own")
	require.NotEmpty(t, strings.TrimSpace(out), "it ran meanwhile")
	require.Empty(t, postgres(t, dir))
}

// A Label Studio that does not start leaves no PostgreSQL behind.
func TestPostgresEndsWithAFailedStart(t *testing.T) {
	m := newPostgresMachine(t)
	require.NoError(t, os.WriteFile(filepath.Join(m.dir, "venv", "bin", "label-studio"), []byte("#!/bin/sh\necho broken\nexit 1\n"), 0o700)) //nolint:gosec // it must run
	dir := filepath.Join(m.dir, "a")
	_, fault, err := m.run(t, "up", "--dir", dir, "--port", "0", "--database", "postgres")
	require.Error(t, err)
	require.Contains(t, fault, "broken")
	require.DirExists(t, filepath.Join(dir, "postgres", "cluster"))
	require.Empty(t, postgres(t, dir))
}

// Not even kill -9 leaves a PostgreSQL behind.
func TestPostgresOutlivesNoOwner(t *testing.T) {
	m := newPostgresMachine(t)
	dir, started := filepath.Join(m.dir, "a"), filepath.Join(m.dir, "started")
	cmd := exec.CommandContext(t.Context(), "./label-studio", "run", "--dir", dir, "--port", "0", "--database", "postgres", "--",
		"sh", "-c", `touch "$0"; exec sleep 300`, started)
	t.Cleanup(func() { m.down(dir) })
	cmd.Env, cmd.SysProcAttr = m.env, &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(started); return err == nil }, 2*time.Minute, 20*time.Millisecond)
	require.NotEmpty(t, postgres(t, dir))
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)) // the script and its command, by their own group
	_ = cmd.Wait()
	require.Eventually(t, func() bool { return postgres(t, dir) == "" }, 2*time.Minute, 50*time.Millisecond)
}
