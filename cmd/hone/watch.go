package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
)

// watchEvery is the pause between two drawings of a watching command.
const watchEvery = 2 * time.Second

// The escape sequences of a terminal that redraw a screen without flicker.
const (
	cursorHome = "\x1b[H"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"
)

// watcher draws the same again and again.
type watcher struct {
	out   io.Writer
	every time.Duration
	// terminal: each drawing takes the place of the one before. Otherwise it follows it.
	terminal bool
	// draw writes what is to be seen.
	draw func(ctx context.Context, w io.Writer) error
}

// watch draws until the context ends, which is no error. An error of the first drawing ends it;
// a later one is drawn, since hone may be restarted meanwhile.
func (w watcher) watch(ctx context.Context) error {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for first := true; ; first = false {
		var b bytes.Buffer
		err := w.draw(ctx, &b)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // Ctrl-C is how it ends
		case err != nil && first:
			return err
		case err != nil:
			b.Reset()
			b.WriteString(time.Now().Format(time.TimeOnly) + "  " + err.Error() + "\n")
		}
		if err := w.show(b.Bytes(), first); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (w watcher) show(text []byte, first bool) error {
	var b bytes.Buffer
	switch {
	case w.terminal:
		if first {
			b.WriteString(cursorHome + clearBelow)
		}
		b.WriteString(cursorHome)
		text = bytes.ReplaceAll(text, []byte("\n"), []byte(clearLine+"\n"))
	case !first:
		b.WriteString("\n")
	}
	b.Write(text)
	if w.terminal {
		b.WriteString(clearBelow)
	}
	_, err := w.out.Write(b.Bytes())
	return err
}

// isTerminal reports whether what is written to w is seen on a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
