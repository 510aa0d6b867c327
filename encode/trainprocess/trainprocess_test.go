package trainprocess_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/trainprocess"
)

// kind is the environment variable by which this program is the child.
const kind = "TRAINPROCESS_KIND"

func TestMain(m *testing.M) {
	switch os.Getenv(kind) {
	case "":
		os.Exit(m.Run())
	case "dies":
		fmt.Fprintln(os.Stderr, "there was no memory")
		os.Exit(3)
	case "babbles":
		fmt.Println("hello")
		os.Exit(0)
	case "parent":
		isParent()
	}
	if err := trainprocess.Serve(context.Background(), os.Stdin, os.Stdout, echo{os.Getenv(kind), os.Getpid()}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// echo is a trainer whose adapter is the number of its process and the texts.
type echo struct {
	kind string
	pid  int
}

func (echo) Name() string { return "echo" }

func (e echo) Train(ctx context.Context, texts []encode.LabelledText) ([]byte, error) {
	switch e.kind {
	case "refuses":
		return nil, errors.New("texts of one class")
	case "hangs":
		fmt.Fprintln(os.Stderr, "begun")
		if path := os.Getenv("BEGUN"); path != "" {
			if err := os.WriteFile(path, fmt.Append(nil, e.pid), 0o600); err != nil {
				return nil, err
			}
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return fmt.Appendf(nil, "%d %v", e.pid, texts), nil
}

func (echo) Adapted([]byte) (encode.BatchEncoder, error) { return nil, errors.New("none") }

// isParent has a child begin to train that does not end, pauses it, and hangs.
func isParent() {
	me, err := os.Executable()
	if err != nil {
		panic(err)
	}
	f := newForeground()
	tr := &trainprocess.Trainer{Command: []string{me}, Env: []string{kind + "=hangs", "BEGUN=" + os.Getenv("BEGUN")}, Foreground: f}
	go func() {
		_, err := tr.Train(context.Background(), texts)
		panic(err)
	}()
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	<-f.added
	f.pause()
	fmt.Println("paused")
	select {}
}

// foreground has a child pause when a test says so.
type foreground struct {
	added          chan struct{} // closed when the child is there
	pause, unpause func()
}

func newForeground() *foreground { return &foreground{added: make(chan struct{})} }

func (f *foreground) AddBackground(pause, unpause func()) (remove func()) {
	f.pause, f.unpause = pause, unpause
	close(f.added)
	return func() {}
}

func trainer(t *testing.T, kindOfChild string, env ...string) *trainprocess.Trainer {
	t.Helper()
	me, err := os.Executable()
	require.NoError(t, err)
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	return &trainprocess.Trainer{
		Trainer: echo{pid: os.Getpid()}, Command: []string{me}, Env: append(env, kind+"="+kindOfChild), Logger: logrus.NewEntry(quiet),
	}
}

var texts = []encode.LabelledText{{Text: "a \"text\"\n\x00 with <all> sorts", Class: 3}, {Text: strings.Repeat("long ", 100_000), Class: 0}}

func TestAnotherProcessTrains(t *testing.T) {
	got, err := trainer(t, "trains").Train(t.Context(), texts)
	require.NoError(t, err)
	pid, rest, _ := bytes.Cut(got, []byte(" "))
	assert.NotEqual(t, fmt.Sprint(os.Getpid()), string(pid))
	assert.Equal(t, fmt.Sprint(texts), string(rest))
}

func TestErrorsOfAnotherProcess(t *testing.T) {
	for kindOfChild, want := range map[string]string{
		"refuses": "texts of one class",
		"dies":    "exit status 3",
		"babbles": "ended without an answer",
	} {
		_, err := trainer(t, kindOfChild).Train(t.Context(), texts)
		require.ErrorContains(t, err, want, kindOfChild)
	}
	_, err := trainer(t, "dies").Train(t.Context(), texts)
	require.ErrorContains(t, err, "there was no memory")
}

// A machine that lets hone start no process trains all the same.
func TestWithoutAnotherProcess(t *testing.T) {
	tr := trainer(t, "trains")
	tr.Command = []string{filepath.Join(t.TempDir(), "missing")}
	got, err := tr.Train(t.Context(), texts[:1])
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprint(os.Getpid(), " ", texts[:1]), string(got))
}

func TestTheContextEndsAnotherProcess(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	begun := filepath.Join(t.TempDir(), "begun")
	done := make(chan error, 1)
	tr := trainer(t, "hangs", "BEGUN="+begun)
	go func() {
		_, err := tr.Train(ctx, texts)
		done <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(begun); return err == nil }, time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

// A child whose parent is gone ends: its input does.
func TestTheEndOfTheInputEndsTheTraining(t *testing.T) {
	in, parent := io.Pipe()
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- trainprocess.Serve(context.Background(), in, &out, echo{kind: "hangs"}) }()
	_, err := parent.Write([]byte(`{"texts":[]}` + "\n"))
	require.NoError(t, err)
	require.NoError(t, parent.Close())
	require.NoError(t, <-done)
	assert.Contains(t, out.String(), context.Canceled.Error())
}

func TestARequestThatIsNone(t *testing.T) {
	for _, in := range []string{"", "{", "[]", `{"texts":5}`} {
		require.Error(t, trainprocess.Serve(t.Context(), strings.NewReader(in), io.Discard, echo{}), in)
	}
}
