// Package trainprocess trains encoders in a process of their own: what trains takes a core for a
// minute, and a thread of the lowest priority in the same process would hold up the others, which
// wait for it whenever memory is cleared up.
//
// The parent writes a request to the child's standard input, which it leaves open, and reads the
// response from its standard output, one JSON value each. The child ends when its input does, as
// it does when the parent is gone.
//
// While somebody waits for the parent the child is stopped by a signal, on Linux, where the end of
// the parent kills a child that is stopped.
package trainprocess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
)

type request struct {
	Texts []encode.LabelledText `json:"texts"`
}

type response struct {
	Adapter []byte `json:"adapter,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Trainer trains in a process of its own, and opens what was trained in this one. It is safe for
// concurrent use; each Train has a process.
type Trainer struct {
	encode.Trainer // of this process
	// Command is the program and its arguments; it is to call Serve. Env is its environment.
	Command, Env []string
	Logger       *logrus.Entry
	// Foreground, unless nil, is work that children pause for. Only on Linux they do.
	Foreground Foreground
}

// Foreground is work that somebody waits for. It must be safe for concurrent use.
type Foreground interface {
	// AddBackground calls pause and unpause in turns, as there is such work and as there is none. Both
	// return at once. remove ends that, with unpause where the last call was of pause.
	AddBackground(pause, unpause func()) (remove func())
}

// Environ is the environment of a child: one core, and what says which instructions to use. Nothing
// else is passed on, secrets least of all.
func Environ() []string {
	env := []string{"GOMAXPROCS=1"}
	if v, ok := os.LookupEnv("GODEBUG"); ok {
		env = append(env, "GODEBUG="+v)
	}
	return env
}

const (
	// maxComplaint is how much of what a child says on standard error is kept.
	maxComplaint = 2000
	// waitDelay is how long a child that was killed may hold its pipes open.
	waitDelay = 5 * time.Second
)

// Train has a child train. Where none can be started it trains in this process. The errors are those
// of the child's Train, of a child that ends without an answer, and the context's, which kills it.
func (t *Trainer) Train(ctx context.Context, texts []encode.LabelledText) ([]byte, error) {
	child := exec.CommandContext(ctx, t.Command[0], t.Command[1:]...) //nolint:gosec // the program is hone itself
	child.Env, child.WaitDelay = t.Env, waitDelay
	defer bindToParent(child)()
	var complaint tail
	child.Stderr = &complaint
	in, err := child.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("train in a process of its own: %w", err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("train in a process of its own: %w", err)
	}
	if err := child.Start(); err != nil {
		t.Logger.WithError(err).Warn("no process to train in could be started; training in this one")
		return t.Trainer.Train(ctx, texts)
	}
	if t.Foreground != nil {
		// A signal to a child that has ended does nothing, and one that kills ends a stopped child too.
		defer t.Foreground.AddBackground(func() { pause(child.Process) }, func() { unpause(child.Process) })()
	}
	// A child that ends early breaks the pipe; what it said is the better error.
	writeErr := json.NewEncoder(in).Encode(request{texts})
	var r response
	readErr := json.NewDecoder(out).Decode(&r)
	_ = in.Close()
	waitErr := child.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case readErr != nil:
		return nil, fmt.Errorf("the process that trains ended without an answer (it may have been out of memory): %w%s",
			errors.Join(waitErr, writeErr), complaint.suffix())
	case r.Error != "":
		return nil, errors.New(r.Error)
	}
	return r.Adapter, nil
}

// Serve is the child: it reads a request, trains, and writes the response. It stops early when in
// ends. The error is that of reading or writing; one of the training is in the response.
func Serve(ctx context.Context, in io.Reader, out io.Writer, trainer encode.Trainer) error {
	var r request
	d := json.NewDecoder(in)
	if err := d.Decode(&r); err != nil {
		return fmt.Errorf("read what to train on: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // until the parent closes it, or is gone
		cancel()
	}()
	var answer response
	var err error
	if answer.Adapter, err = trainer.Train(ctx, r.Texts); err != nil {
		answer = response{Error: err.Error()}
	}
	if err := json.NewEncoder(out).Encode(answer); err != nil {
		return fmt.Errorf("write what was trained: %w", err)
	}
	return nil
}

// tail keeps the last bytes that are written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	t.kept = t.kept[max(0, len(t.kept)-maxComplaint):]
	return len(p), nil
}

// suffix is what was written as the end of a sentence, empty when nothing was.
func (t *tail) suffix() string {
	s := strings.TrimSpace(strings.ToValidUTF8(string(t.kept), "?"))
	if s == "" {
		return ""
	}
	return "; it said: " + s
}
