package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/statustext"
)

func newShares(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shares",
		Short: "Show how common each label is among all tasks",
		Long: `Show how common each label is among all tasks of a project, with 95 % intervals.
Tasks that a strategy asks for are the odd ones, so their labels do not tell. With
odds=on each task is drawn with a known probability, and then they do. It costs some
accuracy of the model. Skipped tasks count as missing.`,
		Example: `  hone configure odds=on --project 3
  hone shares --project 3
  hone shares --project 3 --json | jq '.controls[0].shares'`,
		Args: cobra.NoArgs,
	}
	c.onProject(cmd, func(ctx context.Context, cl *api.Client, id event.ProjectID) error {
		s, err := cl.Shares(ctx, id)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(s)
		}
		statustext.Shares(c.out(), s)
		return nil
	})
	return c.withJSON(cmd)
}
