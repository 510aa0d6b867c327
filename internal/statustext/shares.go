package statustext

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hone-ml/hone/api"
)

// statusOdds tells how far the draws are, or why there are none.
func statusOdds(o *api.Odds, row func(name, format string, args ...any)) {
	switch {
	case o == nil:
	case o.Reason != "":
		row("odds", "not drawn: %s", o.Reason)
	case o.On:
		row("odds", "%d tasks drawn with known odds, %d of them not answered yet; see `hone shares`", o.Draws, o.Open)
	}
}

// Shares prints a line for each label: how common it is among all tasks.
func Shares(out io.Writer, s api.Shares) {
	switch {
	case s.Odds.Reason != "":
		_, _ = fmt.Fprintf(out, "Tasks are not drawn with known odds: %s\n", s.Odds.Reason)
	case !s.Odds.On && len(s.Controls) == 0:
		_, _ = fmt.Fprintf(out, "No task was drawn with known odds. Draw them from now on: hone configure odds=on\n")
		return
	case !s.Odds.On:
		_, _ = fmt.Fprintf(out, "No more tasks are drawn with known odds (`hone configure odds=on` goes on).\n")
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, c := range s.Controls {
		_, _ = fmt.Fprintf(w, "%s: of %d tasks, by %d that were drawn", Printable(c.Control), s.Tasks, c.Draws)
		if c.Waiting > 0 {
			_, _ = fmt.Fprintf(w, "; %d drawn later wait for the first of them", c.Waiting)
		}
		if c.Missing > 0 {
			_, _ = fmt.Fprintf(w, "; %d were skipped or say nothing of it, and may be unlike the others", c.Missing)
		}
		_, _ = fmt.Fprintln(w)
		if len(c.Shares) > 0 {
			_, _ = fmt.Fprintln(w, "  label\tshare\t95 %")
		}
		for _, l := range c.Shares {
			_, _ = fmt.Fprintf(w, "  %s\t%.3f\t%.3f to %.3f\n", Printable(l.Label), l.Estimate, l.Low, l.High)
		}
	}
	_ = w.Flush()
}
