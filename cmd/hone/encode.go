package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

func newEncode(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "encode",
		Short: "Watch a slow encoder go through a project's texts, until it is done",
		Long: `Watch a slow encoder go through a project's texts, until it is done. Encoding
begins by itself, with the labelled texts, then those that will be asked next, and
each text is encoded once. Nothing waits for it: models take vectors in as they
come. Encoders that are not slow have nothing to do ahead.`,
		Example: `  hone encode --project 3`,
		Args:    cobra.NoArgs,
	}
	c.onProject(cmd, func(_ context.Context, cl *api.Client, id event.ProjectID) error {
		bar, complain := newBar(-1, "encoding"), newComplaint()
		p, err := c.await(cl, id,
			func(p api.Project) bool { return p.Backlog == 0 && (p.Encoding == nil || p.Encoding.Done) },
			func(p api.Project) {
				if p.Encoding == nil {
					return
				}
				bar.ChangeMax(max(1, p.Encoding.Tasks))
				_ = bar.Set(p.Encoding.Encoded)
				complain(p.Encoding.Fault)
			})
		if err != nil {
			return err
		}
		_ = bar.Finish()
		if p.Encoding == nil {
			c.printf("project %d: nothing to do, its encoder is not slow\n", id)
			return nil
		}
		c.printf("project %d: the texts of all %d tasks are encoded\n", id, p.Encoding.Tasks)
		return nil
	})
	return cmd
}
