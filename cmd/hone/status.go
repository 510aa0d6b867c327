package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

func newStatus(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what hone has learned and what it would ask next",
		Long: `Show what hone has learned and what it would ask next: of one project everything, of
several a line each. With --watch it is drawn again every two seconds until Ctrl-C.`,
		Example: `  hone status
  hone status --project 3 --watch
  hone status --project 3 --json | jq .labels
  hone status --project 3 --history`,
		Args: cobra.NoArgs,
	}
	v := statusView{project: withProject(cmd, "only this project")}
	v.history = cmd.Flags().Bool("history", false, "show how the accuracy rose with the labels; needs --project")
	watch := cmd.Flags().Bool("watch", false, "draw it again every two seconds, until Ctrl-C")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *v.history && *v.project == 0 {
			return errors.New("--history is of one project: add --project ID")
		}
		cl, err := c.client()
		if err != nil {
			return err
		}
		if !*watch {
			return c.status(cmd.Context(), cl, v)
		}
		w := watcher{out: c.out(), every: watchEvery, terminal: isTerminal(c.out())}
		w.draw = func(ctx context.Context, out io.Writer) error {
			c.redirect = out
			defer func() { c.redirect = nil }()
			return c.status(ctx, cl, v)
		}
		return w.watch(cmd.Context())
	}
	c.withJSON(cmd)
	cmd.MarkFlagsMutuallyExclusive("watch", "json")
	return cmd
}

// statusView is what of the status is to be seen.
type statusView struct {
	project *int64
	history *bool
}

// status prints a view once.
func (c *cli) status(ctx context.Context, cl *api.Client, v statusView) error {
	id := event.ProjectID(*v.project)
	switch {
	case *v.history:
		h, err := cl.Accuracy(ctx, id)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(h)
		}
		c.printHistory(h)
		return nil
	case id > 0:
		p, err := cl.Project(ctx, id)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(p)
		}
		c.printProject(p, time.Now())
		return nil
	}
	all, err := cl.List(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(all)
	}
	for _, s := range all.Problems {
		c.printf("problem  %s\n", s)
	}
	switch len(all.Projects) {
	case 0:
		c.printf("No project yet. Connect one: hone connect --project ID\n")
	case 1:
		c.printProject(all.Projects[0], time.Now())
	default:
		c.printOverview(all.Projects)
	}
	return nil
}

func (c *cli) printProject(p api.Project, now time.Time) {
	w := tabwriter.NewWriter(c.out(), 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	c.printf("Project %d  %s\n", p.ID, printable(p.Title))
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
	c.statusSettings(p, row)
	for _, u := range p.Unlearnable {
		row("left alone", "%s (%s) %s", u.Control, u.Type, u.Reason)
	}
	statusQueue(p.Queue, row)
	if p.Guard != nil {
		statusGuard(*p.Guard, row)
	}
	if p.Queue.Error != "" {
		row("push", "%s", p.Queue.Error)
	}
	if e := p.Encoding; e != nil {
		row("encoding", "%d of %d tasks encoded, %.0f texts/s, %s%s", e.Encoded, e.Tasks, e.PerSecond, e.Encoder, encodingLeft(*e))
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
func (c *cli) statusSettings(p api.Project, row func(name, format string, args ...any)) {
	rest := 0
	for _, s := range p.Settings {
		if !s.Set {
			rest++
			continue
		}
		row("setting", "%s: %s", describeSetting(s), s.Doc)
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

// encodingLeft says about how long the encoding of a large pool still takes.
func encodingLeft(e api.Encoding) string {
	left := time.Duration(e.SecondsLeft * float64(time.Second))
	if left < time.Minute {
		return ""
	}
	return ", about " + strings.TrimSuffix(left.Round(time.Minute).String(), "0s") + " left"
}
