package statustext

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// Project prints all that is known of a project, a line each, as of now.
func Project(out io.Writer, p api.Project, now time.Time) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	_, _ = fmt.Fprintf(out, "Project %d  %s\n", p.ID, Printable(p.Title))
	row("labels", "%d learned, %d tasks left to label, %d skipped", p.Labels, p.Pool, p.Skipped)
	if p.Annotations.Seen > 0 {
		row("annotations", "%s", countedAnnotations(p.Annotations))
	}
	if s := p.Suggestions; s != (api.Suggestions{}) {
		row("suggestions", "%s", joinCounts([]namedCount{{s.Accepted, "accepted as they were"}, {s.Changed, "changed"}, {s.Rejected, "rejected"}, {s.Empty, "submitted empty"}}))
	}
	if p.TasksWithoutText > 0 {
		row("without text", "%d tasks have no text that a learned control is about", p.TasksWithoutText)
	}
	if p.IdenticalPairs > 0 {
		row("same twice", "%d tasks ask to compare two texts that are the same", p.IdenticalPairs)
	}
	gap := "unknown"
	if p.OptimalityGap != nil {
		gap = fmt.Sprintf("%.2g", *p.OptimalityGap)
	}
	if !p.Settled {
		gap += ", not settled yet"
	}
	row("model", "%s, snapshot %d, optimality gap %s", p.ModelVersion, p.Snapshot, gap)
	if p.SettingsHeld {
		row("settings", "held since the rollback to %s; `hone retrain` lets them follow the labels again", p.ModelVersion)
	}
	for _, h := range p.Heads {
		over := ""
		if len(h.Labels) > 0 {
			over = fmt.Sprintf(" over %d labels", len(h.Labels))
		}
		row("head "+h.Control, "%s%s, %d examples", h.Type, over, h.Examples)
		if all := poolAccuracy(h); all != "" {
			row("  all tasks", "%s", all)
		}
		if asked := progressiveScores(h); asked != "" {
			row("  asked tasks", "%s", asked)
		}
	}
	statusSettings(p, row)
	for _, u := range p.Unlearnable {
		row("left alone", "%s (%s) %s", u.Control, u.Type, u.Reason)
	}
	statusQueue(p.Queue, row)
	if p.Guard != nil {
		statusGuard(*p.Guard, row)
	}
	statusOdds(p.Odds, row)
	if p.Queue.Error != "" {
		row("push", "%s", p.Queue.Error)
	}
	if e := p.Encoding; e != nil {
		row("encoding", "%d of %d tasks encoded, %.0f texts/s, %s%s", e.Encoded, e.Tasks, e.PerSecond, e.Encoder, left(e.SecondsLeft))
	}
	if a := p.Adapted; a != nil {
		row("adapted", "%s", adaptedTo(*a, now))
	}
	switch r := p.Retrain; {
	case r.Waiting != "":
		row("retrain", "waits %s", r.Waiting)
	case r.Running:
		row("retrain", "running, %.0f %%", 100*r.Progress)
	}
	if !p.Retrain.Running && p.Retrain.Last != nil {
		row("retrain", "%s, %s", formatAgo(p.Retrain.Last, now), p.Retrain.Outcome)
	}
	row("last event", "%s", formatAgo(p.LastEvent, now))
	if l := p.Poll; l != nil {
		row("polled", "%s, every %s", formatAgo(l.Last, now), time.Duration(l.IntervalSeconds*float64(time.Second)))
	}
	if r := p.Reconcile; reading(r) {
		row("reading", "%d of %d tasks compared with Label Studio%s", r.Read, r.Total, left(r.SecondsLeft))
	}
	row("reconciled", "%s, %d missed changes found so far", formatAgo(p.LastReconcile, now), p.MissedFound)
	if p.Backlog > 0 {
		row("backlog", "%d events", p.Backlog)
	}
	if p.DeadLetters > 0 {
		row("dead letters", "%d (see `hone deadletter list`)", p.DeadLetters)
	}
	if p.LeftAlone == string(event.Disconnected) {
		row("disconnected", "hone writes nothing to it; `hone connect --project %d` connects it again", p.ID)
	}
	for _, s := range p.Problems {
		row("problem", "%s", s)
	}
	_ = w.Flush()
}

// adaptedTo says to what the transformer has adapted, and what that gains.
func adaptedTo(a api.Adapted, now time.Time) string {
	var out []string
	if a.Labels > 0 {
		s := fmt.Sprintf("to the first %d labels of %s, %s", a.Labels, a.Control, formatAgo(a.At, now))
		if a.Accuracy != nil && a.AccuracyWithout != nil {
			s += fmt.Sprintf("; held-out accuracy %.3f, without it %.3f", *a.Accuracy, *a.AccuracyWithout)
		}
		out = append(out, s)
	}
	if a.AdaptingTo > 0 {
		out = append(out, fmt.Sprintf("adapting to the first %d labels of %s now", a.AdaptingTo, a.Control))
	}
	return strings.Join(out, "; ")
}

// namedCount is a number of things with what they are.
type namedCount struct {
	n    int
	what string
}

// joinCounts names all counts but those of nothing.
func joinCounts(counts []namedCount) string {
	var out []string
	for _, c := range counts {
		if c.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(out, ", ")
}

// countedAnnotations says how many annotations were learned, and why the others were not.
func countedAnnotations(a api.Annotations) string {
	seen := fmt.Sprintf("%d seen, %d learned", a.Seen, a.Learned)
	rest := joinCounts([]namedCount{
		{a.FromPredictions, "made from predictions"},
		{a.Skipped, "skipped"},
		{a.Excluded, "left out by the project's settings"},
		{a.Unanswered, "without an answer to a learned control"},
		{a.Refused, "refused"},
		{a.NoText, "of tasks without text"},
		{a.IdenticalPair, "of two texts that are the same"},
		{a.NoControl, "with no control to learn"},
	})
	if rest == "" {
		return seen
	}
	return seen + ", " + rest
}

// statusSettings tells of the settings that are not at their defaults, and of what they
// keep from annotators.
func statusSettings(p api.Project, row func(name, format string, args ...any)) {
	rest := 0
	for _, s := range p.Settings {
		if !s.Set {
			rest++
			continue
		}
		row("setting", "%s: %s", Setting(s), s.Doc)
	}
	if rest > 0 {
		row("settings", "%d at their defaults; `hone configure --project %d` lists all", rest, p.ID)
	}
	for _, h := range p.Heads {
		if h.Described+h.Hinted > 0 {
			row("meaning", "%s: of %d labels %d are described, %d have a hint, %d only a name; `hone describe --project %d` shows them", h.Control,
				len(h.Labels), h.Described, h.Hinted, len(h.Labels)-h.Described-h.Hinted, p.ID)
		}
		switch {
		case h.SuggestsNothing:
			row("silent", "%s: nothing is suggested", h.Control)
		case len(h.Silent) > 0:
			row("silent", "%s: %s", h.Control, strings.Join(h.Silent, ", "))
		}
	}
}

// progressiveScores lists the scores of the tasks that were asked about, each before it was
// learned, and what they are lately where that differs; "" before the first.
func progressiveScores(h api.Head) string {
	var out []string
	for _, score := range []struct {
		name        string
		all, lately *float64
	}{
		{"mean error", h.MAE, h.RecentMAE},
		{"accuracy", h.Accuracy, h.RecentAccuracy},
		{"macro-F1", h.MacroF1, nil},
		{"ECE", h.ECE, nil},
	} {
		if score.all == nil {
			continue
		}
		s := fmt.Sprintf("%s %.3f", score.name, *score.all)
		if score.lately != nil {
			if lately := fmt.Sprintf("%.3f", *score.lately); !strings.HasSuffix(s, lately) {
				s += " (lately " + lately + ")"
			}
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func joinIDs(ids []event.TaskID) string {
	if len(ids) == 0 {
		return "nothing"
	}
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = fmt.Sprint(id)
	}
	return strings.Join(out, " ")
}

func formatAgo(t *time.Time, now time.Time) string {
	if t == nil {
		return "never"
	}
	return fmt.Sprintf("%s ago (%s)", now.Sub(*t).Round(time.Second), t.Local().Format(time.DateTime))
}

// longReading is from how many tasks on people are told how far a reading is.
const longReading = 1000

// reading reports whether hone reads so much of a project that it takes a while: at the first
// comparison with Label Studio, and when thousands of tasks were imported.
func reading(r *api.Reconcile) bool { return r != nil && r.Running && r.Total >= longReading }

// left says about how long something still takes; "" for less than ten seconds.
func left(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case d < 10*time.Second:
		return ""
	case d < time.Minute:
		return fmt.Sprintf(", about %s left", d.Round(10*time.Second))
	default:
		return ", about " + strings.TrimSuffix(d.Round(time.Minute).String(), "0s") + " left"
	}
}
