package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

func newPrelabel(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prelabel",
		Short: "Store a prediction of the model for every task of a project",
		Long: `Store a prediction of the model for every task of a project, labelled or not, that
has none beside the queue's, and wait until Label Studio is seen to hold them. Many
are imported in one request, which keeps Label Studio busy for some seconds with
10,000 tasks; few are written one by one. Hone goes on with it when this command is
stopped, and after a restart; asking again makes what still lacks. The predictions
follow the model within the budget sampler.background_writes, and outlive retrains.`,
		Example: `  hone prelabel --project 3
  hone prelabel --project 3 --json
  hone prelabel --project 3 --no-wait`,
		Args: cobra.NoArgs,
	}
	noWait := cmd.Flags().Bool("no-wait", false, "return as soon as hone accepted it")
	c.onProject(cmd, func(ctx context.Context, cl *api.Client, id event.ProjectID) error {
		at, err := cl.Prelabel(ctx, id)
		if err != nil || *noWait {
			return err
		}
		bar, complain := newBar(-1, "predicting"), newComplaint()
		this := func(p api.Project) *api.Prelabel {
			if p.Predictions == nil || p.Predictions.Prelabel == nil || p.Predictions.Prelabel.Asked.Before(at) {
				return nil
			}
			return p.Predictions.Prelabel
		}
		p, err := c.await(cl, id, func(p api.Project) bool { return this(p) != nil && (this(p).Done != nil || this(p).Fault != "") }, func(p api.Project) {
			if l := this(p); l != nil {
				bar.ChangeMax(max(1, l.Tasks))
				_ = bar.Set(l.Predicted + l.Abstained + l.Refused)
			}
			complain(p.Queue.Error)
		})
		if err != nil {
			return err
		}
		_ = bar.Finish()
		l := this(p)
		if l.Fault != "" {
			return fmt.Errorf("project %d is not prelabelled: %s", id, l.Fault)
		}
		if c.json {
			return c.printJSON(map[string]any{"project": id, "prelabel": l})
		}
		c.printf("project %d: %d of %d tasks have a prediction of %s in Label Studio", id, l.Predicted, l.Tasks, l.Version)
		if l.Abstained > 0 {
			c.printf("; of %d the model says nothing", l.Abstained)
		}
		if l.Refused > 0 {
			c.printf("; of %d Label Studio takes none", l.Refused)
		}
		c.printf("\n")
		return nil
	})
	return c.withJSON(cmd)
}
