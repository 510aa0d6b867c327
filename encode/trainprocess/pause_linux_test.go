package trainprocess_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// state returns the letter by which Linux says what a process does, 0 when there is none.
func state(pid int) byte {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, found := bytes.Cut(raw, []byte(") "))
	if err != nil || !found {
		return 0
	}
	return after[0]
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, time.Minute, time.Millisecond, what)
}

// childOf waits until a child has begun to train and returns its id.
func childOf(t *testing.T, begun string) (pid int) {
	t.Helper()
	eventually(t, "a child has begun", func() bool {
		raw, _ := os.ReadFile(begun)
		pid, _ = strconv.Atoi(string(raw))
		return pid > 0
	})
	return pid
}

// A child is stopped for the foreground, goes on, and is killed though it is stopped.
func TestAnotherProcessPauses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	begun := filepath.Join(t.TempDir(), "begun")
	f := newForeground()
	tr := trainer(t, "hangs", "BEGUN="+begun)
	tr.Foreground = f
	done := make(chan error, 1)
	go func() {
		_, err := tr.Train(ctx, texts)
		done <- err
	}()
	<-f.added
	pid := childOf(t, begun)
	for range 3 {
		f.pause()
		eventually(t, "it is stopped", func() bool { return state(pid) == 'T' })
		f.unpause()
		eventually(t, "it goes on", func() bool { return state(pid) != 'T' })
	}
	f.pause()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	f.unpause() // late, and of no effect
}

// The end of the parent ends a child that is stopped, which does not see that its input ends.
func TestTheEndOfTheParentEndsAStoppedChild(t *testing.T) {
	begun := filepath.Join(t.TempDir(), "begun")
	parent := exec.Command(os.Args[0]) //nolint:gosec // this program
	parent.Env = []string{kind + "=parent", "BEGUN=" + begun}
	in, err := parent.StdinPipe()
	require.NoError(t, err)
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	pid := childOf(t, begun)
	_, err = fmt.Fprintln(in)
	require.NoError(t, err)
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	eventually(t, "it is stopped", func() bool { return state(pid) == 'T' })
	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait())
	eventually(t, "it has ended", func() bool { s := state(pid); return s == 0 || s == 'Z' || s == 'X' })
}
