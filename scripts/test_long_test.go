package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testLong runs parts with programs in place of go and make that print what they were
// asked, and the report's text then.
func testLong(t *testing.T, report, exit string, parts ...string) (string, error) {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"go", "make"} {
		script := "#!/bin/sh\necho \"$SAYS asked: $*\"\n[ \"$1\" = env ] || exit " + exit + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700)) //nolint:gosec // it must run
	}
	cmd := exec.CommandContext(t.Context(), "../tools/test-long", parts...)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "REPORT="+report, "SAYS="+t.Name())
	out, err := cmd.CombinedOutput()
	text, fault := os.ReadFile(report)
	if fault != nil {
		require.ErrorIs(t, fault, os.ErrNotExist)
	}
	t.Logf("%s", out)
	return string(text), err
}

// sections returns a report's sections by their first line's first word.
func sections(report string) map[string]string {
	out := map[string]string{}
	for _, s := range strings.Split(report, "\n## ")[1:] {
		name, _, _ := strings.Cut(s, ":")
		out[name] = strings.TrimRight(s, "\n")
	}
	return out
}

func TestLongKeepsOtherParts(t *testing.T) {
	report := filepath.Join(t.TempDir(), "LONG.md")
	text, err := testLong(t, report, "0", "retrain", "simulate")
	require.NoError(t, err)
	before := sections(text)
	require.Len(t, before, 2)
	require.Contains(t, before["simulate"], "simulate: passed in ")
	require.Contains(t, before["simulate"], " at commit ")
	require.Contains(t, before["simulate"], "TestLongKeepsOtherParts asked: --no-print-directory simulate")
	require.Less(t, strings.Index(text, "## simulate"), strings.Index(text, "## retrain"), "in an order of their own")

	t.Run("one fails", func(t *testing.T) {
		text, err = testLong(t, report, "1", "lanes", "retrain")
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 1, exit.ExitCode())
		now := sections(text)
		require.Len(t, now, 3)
		require.Equal(t, before["simulate"], now["simulate"])
		for _, name := range []string{"lanes", "retrain"} {
			require.Contains(t, now[name], name+": FAILED in ")
			require.Contains(t, now[name], t.Name())
		}
		require.Equal(t, 1, strings.Count(text, "# The last output"))
	})
	again, err := testLong(t, report, "0", "simulate", "nonsense")
	require.Error(t, err)
	require.Equal(t, text, again, "nothing ran")
}
