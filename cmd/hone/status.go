package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/statustext"
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
		statustext.History(c.out(), h)
		return nil
	case id > 0:
		p, err := cl.Project(ctx, id)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(p)
		}
		statustext.Project(c.out(), p, time.Now())
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
		statustext.Project(c.out(), all.Projects[0], time.Now())
	default:
		statustext.Overview(c.out(), all.Projects)
	}
	return nil
}
