package statustext

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/hone-ml/hone/api"
)

// poolAccuracy says how well a head answers all tasks of the project; "" before the first label.
func poolAccuracy(h api.Head) string {
	switch p := h.PoolAccuracy; {
	case p == nil:
		return ""
	case p.Estimate == nil:
		return "accuracy not known: no task that was drawn at random is labelled yet (see random_share in `hone configure`)"
	default:
		return fmt.Sprintf("accuracy about %.2f (95 %%: %.2f to %.2f, from %d random answers among %d labels)", *p.Estimate, *p.Low, *p.High, p.Random, p.Labels)
	}
}

// History prints one line for each control and number of labels.
func History(out io.Writer, h api.AccuracyHistory) {
	if len(h.Points) == 0 {
		_, _ = fmt.Fprintf(out, "No label yet.\n")
		return
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "labels\tcontrol\taccuracy\t95 %\trandom\tof asked tasks\tat")
	for _, p := range h.Points {
		controls := slices.Sorted(maps.Keys(p.Asked))
		for control := range p.Pool {
			if !slices.Contains(controls, control) {
				controls = append(controls, control)
			}
		}
		slices.Sort(controls)
		for _, control := range controls {
			estimate, interval, random, asked := "", "", "", ""
			if a, ok := p.Pool[control]; ok && a.Estimate != nil {
				estimate, interval, random = fmt.Sprintf("%.3f", *a.Estimate), fmt.Sprintf("%.3f to %.3f", *a.Low, *a.High), fmt.Sprint(a.Random)
			}
			if a, ok := p.Asked[control]; ok {
				asked = fmt.Sprintf("%.3f", a)
			}
			_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Labels, control, estimate, interval, random, asked, p.At.Local().Format(time.DateTime))
		}
	}
	_ = w.Flush()
}
