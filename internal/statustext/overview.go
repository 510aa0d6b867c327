package statustext

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/cut"
)

// maxTitle is how many characters of a project's title a table shows.
const maxTitle = 40

// Overview prints a line for each project.
func Overview(out io.Writer, ps []api.Project) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "PROJECT\tTITLE\tLABELS\tLEFT\tACCURACY\tMODEL\tQUEUE\tSTATE")
	for _, p := range ps {
		_, _ = fmt.Fprintf(w, "%d\t%s\t%d\t%d\t%s\t%s\t%d/%d\t%s\n", p.ID, cut.Runes(Printable(p.Title), maxTitle), p.Labels, p.Pool,
			cmp.Or(shortAccuracy(p), "-"), cmp.Or(p.ModelVersion, "-"), p.Queue.Pushed, len(p.Queue.Tasks), projectState(p))
	}
	_ = w.Flush()
	_, _ = fmt.Fprintf(out, "\nLABELS learned, tasks LEFT to label, ACCURACY over all tasks, QUEUE in Label Studio. More: hone status --project ID\n")
}

// shortAccuracy is the estimated accuracy over all tasks, of each control where there are
// several; "" while none is known.
func shortAccuracy(p api.Project) string {
	var out []string
	for _, h := range p.Heads {
		if a := h.PoolAccuracy; a != nil && a.Estimate != nil {
			s := fmt.Sprintf("%.2f", *a.Estimate)
			if len(p.Heads) > 1 {
				s = h.Control + " " + s
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

// projectState says in a word or two how a project is; what is wrong comes first.
func projectState(p api.Project) string {
	switch n := len(p.Problems); {
	case n == 1:
		return "1 problem"
	case n > 1:
		return fmt.Sprintf("%d problems", n)
	case p.Queue.Error != "":
		return "queue not written"
	case reading(p.Reconcile):
		return fmt.Sprintf("reading, %d of %d", p.Reconcile.Read, p.Reconcile.Total)
	case p.Backlog > 0:
		return fmt.Sprintf("%d events to learn", p.Backlog)
	case p.Retrain.Running && p.Retrain.Waiting == "":
		return fmt.Sprintf("retraining, %.0f %%", 100*p.Retrain.Progress)
	case p.Encoding != nil && !p.Encoding.Done:
		return fmt.Sprintf("encoding, %d of %d", p.Encoding.Encoded, p.Encoding.Tasks)
	case p.Settled:
		return "settled"
	}
	return "learning"
}

// Printable is a text of Label Studio as it may stand in a line on a terminal: without line
// breaks, tabs and control characters.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
