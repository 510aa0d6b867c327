package main

import (
	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/event"
)

func newDisconnect(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "disconnect --project ID",
		Short: "Take the running hone out of a Label Studio project",
		Long: `Undo what "hone connect" did in Label Studio: the ML backend and the webhook go, and the
sampling is what it was before. Hone keeps what it has learned and writes nothing
to the project any more; "hone connect" connects it again. Its predictions stay
unless --delete-predictions is given.`,
		Example: `  hone disconnect --project 3
  hone disconnect --project 3 --delete-predictions --json`,
		Args: cobra.NoArgs,
	}
	project := withProject(cmd, "Label Studio's project id (the number in its address)")
	predictions := cmd.Flags().Bool("delete-predictions", false, "delete hone's predictions in Label Studio too; many take minutes")
	_ = cmd.MarkFlagRequired("project")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		rep, err := cl.Disconnect(cmd.Context(), event.ProjectID(*project), *predictions)
		if err != nil {
			return err
		}
		return c.printReport(rep)
	}
	return c.withJSON(cmd)
}
