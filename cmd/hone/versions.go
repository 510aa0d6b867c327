package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

func newVersions(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "versions",
		Short: "List the model versions of a project",
		Long: `List the model versions of a project, oldest first. The held-out accuracy is that of
the retrain which made the version, cross-validated over its labels; where none was
measured, it says why.`,
		Example: `  hone versions --project 3
  hone versions --project 3 --json`,
		Args: cobra.NoArgs,
	}
	c.onProject(cmd, func(ctx context.Context, cl *api.Client, id event.ProjectID) error {
		vs, err := cl.Versions(ctx, id)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(map[string]any{"versions": vs})
		}
		w := tabwriter.NewWriter(c.out(), 0, 4, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "VERSION\tLIVE\tMADE\tLABELS\tHELD-OUT ACCURACY\tWHY")
		for _, v := range vs {
			live := ""
			if v.Live {
				live = "*"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", v.Name, live, v.CreatedAt.Local().Format(time.DateTime), formatLabels(v), formatAccuracies(v), v.Reason)
		}
		return w.Flush()
	})
	return c.withJSON(cmd)
}

// formatLabels is how many labels there were, and to how many of them the transformer had adapted.
func formatLabels(v api.Version) string {
	if v.AdaptedLabels == 0 {
		return strconv.Itoa(v.Labels)
	}
	return fmt.Sprintf("%d (adapted to %d)", v.Labels, v.AdaptedLabels)
}

// formatAccuracies is the held-out accuracy of each control, or why there is none.
func formatAccuracies(v api.Version) string {
	if len(v.Accuracy) == 0 {
		return "none: " + cmp.Or(v.AccuracyMissing, "not measured")
	}
	var out []string
	for control, a := range v.Accuracy {
		out = append(out, fmt.Sprintf("%s %.3f", control, a))
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

func newRollback(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback [VERSION]",
		Short: "Make an earlier model version live again",
		Long: `Make an earlier model version live again. A version is a name and the settings
the model is trained with; the labels stay. The settings are held, whatever labels
come, until you ask for a retrain. To undo wrong labels, delete or correct them in
Label Studio: hone forgets them at once.`,
		Example: `  hone rollback --project 3
  hone rollback hone-2
  hone rollback hone-2 --project 3`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "" {
				return errors.New("the version is empty: name one (see `hone versions`), or leave it out for the one before the live one")
			}
			if len(args) > 1 {
				return fmt.Errorf("%d versions are named, and one can be live: hone rollback VERSION (see `hone versions`)", len(args))
			}
			return nil
		},
	}
	to := cmd.Flags().String("to", "", "name of the version, as the argument (default: the one before the live one)")
	c.onProject(cmd, func(ctx context.Context, cl *api.Client, id event.ProjectID) error {
		name := *to
		if given := cmd.Flags().Arg(0); given != "" {
			if name != "" && name != given {
				return fmt.Errorf("both %s and --to %s are given: name one version", given, name)
			}
			name = given
		}
		vs, err := cl.Versions(ctx, id)
		if err != nil {
			return err
		}
		target, err := rollbackTarget(vs, name)
		if err != nil {
			return err
		}
		if _, err := cl.Rollback(ctx, id, target); err != nil {
			return err
		}
		p, err := c.await(cl, id, func(p api.Project) bool { return p.ModelVersion == target }, nil)
		if err != nil {
			return err
		}
		c.printf("project %d: %s is live\n", id, p.ModelVersion)
		return nil
	})
	return cmd
}

// rollbackTarget names the version to go back to, so that the command can wait
// for it and a wrong name is refused before anything happens.
func rollbackTarget(vs []api.Version, to string) (string, error) {
	live := -1
	var names []string
	for i, v := range vs {
		if v.Live {
			live = i
		}
		names = append(names, v.Name)
	}
	if to == "" {
		if live < 1 {
			return "", fmt.Errorf("there is no version before the live one (versions: %s)", strings.Join(names, ", "))
		}
		return vs[live-1].Name, nil
	}
	for i, v := range vs {
		if v.Name == to {
			if i == live {
				return "", fmt.Errorf("%s is live already", to)
			}
			return to, nil
		}
	}
	return "", fmt.Errorf("there is no version %q (versions: %s)", to, strings.Join(names, ", "))
}
