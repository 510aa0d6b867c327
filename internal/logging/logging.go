// Package logging sets up hone's log: text on a terminal, JSON otherwise, and
// no secret in either.
package logging

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/sirupsen/logrus"
)

// Options says how to log.
type Options struct {
	// Level is a name logrus knows: trace, debug, info, warn, error.
	Level string
	// Format is text, json, or auto: text when Out is a terminal, else JSON.
	Format string
	// Out is standard error when nil.
	Out io.Writer
	// Secrets never appear in the log, whatever message, field or error carries
	// them. Empty ones are ignored.
	Secrets []string
}

// New returns a logger that any number of goroutines may use.
func New(o Options) (*logrus.Logger, error) {
	level, err := logrus.ParseLevel(o.Level)
	if err != nil {
		return nil, fmt.Errorf("log level %q is not known; use trace, debug, info, warn or error", o.Level)
	}
	if o.Out == nil {
		o.Out = os.Stderr
	}
	tty := terminal(o.Out)
	r := &redactor{}
	switch {
	case o.Format == "text" || (o.Format == "auto" && tty):
		// A log in a file keeps its date and has no colours.
		layout := time.RFC3339
		if tty {
			layout = time.TimeOnly
		}
		r.next = &logrus.TextFormatter{FullTimestamp: true, TimestampFormat: layout, DisableColors: !tty}
	case o.Format == "json" || o.Format == "auto":
		r.next, r.json = &logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano}, true
	default:
		return nil, fmt.Errorf("log format %q is not known; use auto, text or json", o.Format)
	}
	r.add(o.Secrets)
	log := logrus.New()
	log.SetOutput(o.Out)
	log.SetLevel(level)
	log.SetFormatter(r)
	return log, nil
}

// Redact adds secrets that became known after New. Lines being written at the
// same time may still be without them. A logger New did not make is left alone,
// and the result is false.
func Redact(log *logrus.Logger, secrets ...string) bool {
	r, ok := log.Formatter.(*redactor)
	if ok {
		r.add(secrets)
	}
	return ok
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}
