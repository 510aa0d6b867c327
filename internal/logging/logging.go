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

// New returns a logger that any number of goroutines may use. The level is
// trace, debug, info, warn or error. The format is text, json, or auto: text
// when out is a terminal, else JSON. The secrets never appear in the log,
// whatever message, field or error carries them; empty ones are ignored.
func New(out io.Writer, level, format string, secrets ...string) (*logrus.Logger, error) {
	lvl, err := logrus.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log level %q is not known; use trace, debug, info, warn or error", level)
	}
	tty := terminal(out)
	r := &redactor{}
	switch {
	case format == "text" || (format == "auto" && tty):
		// A log in a file keeps its date and has no colours.
		layout := time.RFC3339
		if tty {
			layout = time.TimeOnly
		}
		r.next = &logrus.TextFormatter{FullTimestamp: true, TimestampFormat: layout, DisableColors: !tty}
	case format == "json" || format == "auto":
		r.next, r.json = &logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano, DisableHTMLEscape: true}, true
	default:
		return nil, fmt.Errorf("log format %q is not known; use auto, text or json", format)
	}
	r.add(secrets)
	log := logrus.New()
	log.SetOutput(out)
	log.SetLevel(lvl)
	log.SetFormatter(r)
	return log, nil
}

// Silent is a log that nobody reads, for a part that was given none.
func Silent() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
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
