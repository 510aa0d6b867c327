package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/statustext"
)

func newConfigure(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "configure [KEY=VALUE ...]",
		Short: "Show and change the settings of one project",
		Long: `Show and change the settings of one project. Without KEY=VALUE it lists them all, each
with its value, its default and what it does. KEY= puts a setting back to its default.
All changes are made, or none. They are kept in hone's database, hold without a restart
of hone, and go the way of every label: whose annotations are learned from, and by which
encoder, makes the model what it would be had hone known it from the start.`,
		Example: `  hone configure --project 3
  hone configure --project 3 strategy=entropy queue=50
  hone configure --project 3 learn_from_users=2,5 learn_from_states=ground_truth
  hone configure --project 3 suggestions=precise suggestions_precision=0.9
  hone configure --project 3 encoder=static
  hone configure --project 3 queue= --json`,
		Args: cobra.ArbitraryArgs,
	}
	c.onProject(cmd, func(ctx context.Context, cl *api.Client, id event.ProjectID) error {
		changes, err := readPairs(cmd.Flags().Args())
		if err != nil {
			return err
		}
		out := api.Configuration{Project: id, Applied: true}
		if len(changes) == 0 {
			p, err := cl.Project(ctx, id)
			if err != nil {
				return err
			}
			out.Settings = p.Settings
		} else if out, err = cl.Configure(ctx, id, changes); err != nil {
			return err
		}
		if c.json {
			return c.printJSON(out)
		}
		c.printSettings(out)
		return nil
	})
	return c.withJSON(cmd)
}

// readPairs reads KEY=VALUE.
func readPairs(args []string) (out []api.Change, err error) {
	seen := map[string]bool{}
	for _, a := range args {
		key, value, ok := strings.Cut(a, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%q is not KEY=VALUE; `hone configure --help` has examples", a)
		}
		if seen[key] {
			return nil, fmt.Errorf("%s is given twice; give each setting once", key)
		}
		seen[key] = true
		change := api.Change{Key: key, Value: &value}
		if value == "" {
			change.Value = nil
		}
		out = append(out, change)
	}
	return out, nil
}

func (c *cli) printSettings(of api.Configuration) {
	if !of.Applied {
		c.printf("The change is in hone's log and is made once what came before it is learned. Until then:\n")
	}
	c.printf("Project %d\n", of.Project)
	for _, s := range of.Settings {
		c.printf("  %s\n      %s (%s)\n", statustext.Setting(s), s.Doc, s.Type)
	}
}
