package main

import (
	"bufio"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/event"
)

func newForget(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forget --project ID",
		Short: "Delete everything that the running hone holds of a project",
		Long: `Disconnect a project as "hone disconnect" does, if Label Studio can be reached, and delete
everything that hone holds of it: tasks with their texts, annotations, models and
versions, settings, accuracy, vectors, and its events in the log. Nothing in Label
Studio is deleted but hone's model and webhook. Backups that were made before still
hold it. Connected again, it begins from nothing and learns what Label Studio has.`,
		Example: `  hone forget --project 3
  hone forget --project 3 --yes --json`,
		Args: cobra.NoArgs,
	}
	project := withProject(cmd, "Label Studio's project id (the number in its address)")
	yes := cmd.Flags().Bool("yes", false, "do not ask first")
	_ = cmd.MarkFlagRequired("project")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !*yes {
			if c.json {
				return errors.New("--json asks nothing: add --yes to delete what hone holds of the project")
			}
			c.printf("Everything that hone holds of project %d is deleted for good. Type yes to go on: ", *project)
			line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n') // what came before its end counts
			if strings.TrimSpace(line) != "yes" {
				c.printf("\n")
				return errors.New("nothing was deleted: it was not confirmed with yes (or add --yes)")
			}
		}
		cl, err := c.client()
		if err != nil {
			return err
		}
		rep, err := cl.Forget(cmd.Context(), event.ProjectID(*project))
		if err != nil {
			return err
		}
		return c.printReport(rep)
	}
	return c.withJSON(cmd)
}
