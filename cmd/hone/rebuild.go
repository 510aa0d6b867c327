package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

func newReconcile(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare a project with what Label Studio holds, and learn the difference",
		Long: `Compare all tasks and annotations of a project, contents and all, with what Label
Studio holds, and learn the difference. What Label Studio holds counts, whatever
webhooks said before. Hone does this by itself: for what changed every minute, for
ids and times every hour, for contents every night (see cron in the configuration).`,
		Example: "  hone reconcile --project 3",
		Args:    cobra.NoArgs,
	}
	noWait := cmd.Flags().Bool("no-wait", false, "return as soon as hone accepted it")
	c.onProject(cmd, func(ctx context.Context, cl *api.Client, id event.ProjectID) error {
		r := projectReading{c: c, cl: cl, id: id, ask: cl.Reconcile, done: func(r *api.Reconcile) *time.Time { return r.LastContents }, what: "comparing"}
		if err := r.begin(ctx); err != nil || *noWait {
			return err
		}
		out, err := r.await()
		if err != nil {
			return err
		}
		c.printf("project %d: %d missed changes found, %d labels\n", id, out.Found, out.Labels)
		return nil
	})
	return cmd
}

func newRebuild(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Read everything of a project anew from Label Studio",
		Long: `Read all tasks and annotations of a project anew from Label Studio, without
comparing first, and learn them: for when what hone holds is not to be trusted. The
model ends as it would if hone began with this project now; its settings and
versions stay, and while it is read hone goes on as always.`,
		Example: `  hone rebuild --project 3
  hone rebuild --all --json`,
		Args: cobra.NoArgs,
	}
	project := withProject(cmd, "which project (default: the only one)")
	all := cmd.Flags().Bool("all", false, "all projects that hone knows, one after the other")
	noWait := cmd.Flags().Bool("no-wait", false, "return as soon as hone accepted it")
	cmd.MarkFlagsMutuallyExclusive("project", "all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		ids, err := c.projects(cl, *project, *all)
		if err != nil {
			return err
		}
		done, failed := []rebuildResult{}, []error(nil)
		for _, id := range ids {
			r := projectReading{c: c, cl: cl, id: id, ask: cl.Rebuild, done: func(r *api.Reconcile) *time.Time { return r.LastRebuild }, what: "reading"}
			err := r.begin(cmd.Context())
			if err == nil && !*noWait {
				var out rebuildResult
				if out, err = r.await(); err == nil {
					done = append(done, out)
					if !c.json {
						c.printf("project %d: %d tasks read, %d of their changes were not known, %d labels\n", id, out.Tasks, out.Found, out.Labels)
					}
				}
			}
			failed = append(failed, err)
			if cmd.Context().Err() != nil {
				break
			}
		}
		if c.json && !*noWait {
			failed = append(failed, c.printJSON(map[string]any{"projects": done}))
		}
		return errors.Join(failed...)
	}
	return c.withJSON(cmd)
}

// projects resolves --project and --all.
func (c *cli) projects(cl *api.Client, project int64, all bool) ([]event.ProjectID, error) {
	if !all {
		id, err := c.resolveProject(cl, project)
		return []event.ProjectID{id}, err
	}
	ps, err := cl.Projects(c.cmd.Context())
	ids := make([]event.ProjectID, len(ps))
	for i, p := range ps {
		ids[i] = p.ID
	}
	return ids, err
}

// rebuildResult is the result of a reading, as --json prints it.
type rebuildResult struct {
	Project event.ProjectID `json:"project"`
	Tasks   int             `json:"tasks"`
	// Found counts the changes that hone had not known.
	Found  uint64 `json:"found"`
	Labels int    `json:"labels"`
}

// projectReading requests a reading of a project and waits for it.
type projectReading struct {
	c      *cli
	cl     *api.Client
	id     event.ProjectID
	ask    func(context.Context, event.ProjectID) (time.Time, error)
	done   func(*api.Reconcile) *time.Time // when the last reading of this kind began
	what   string
	at     time.Time
	before api.Project
}

func (r *projectReading) begin(ctx context.Context) (err error) {
	if r.before, err = r.cl.Project(ctx, r.id); err != nil {
		return err
	}
	r.at, err = r.ask(ctx, r.id)
	return err
}

func (r *projectReading) await() (rebuildResult, error) {
	failed := func(p api.Project) bool { return p.ReconcileFailures > r.before.ReconcileFailures }
	bar := newBar(-1, r.what)
	p, err := r.c.await(r.cl, r.id, func(p api.Project) bool {
		if failed(p) {
			return true
		}
		if p.Reconcile == nil || p.Backlog > 0 {
			return false
		}
		last := r.done(p.Reconcile)
		return last != nil && !last.Before(r.at)
	}, func(p api.Project) {
		if p.Reconcile != nil && p.Reconcile.Running {
			bar.ChangeMax(max(1, p.Reconcile.Total))
			_ = bar.Set(p.Reconcile.Read)
		}
	})
	if err != nil {
		return rebuildResult{}, err
	}
	_ = bar.Finish()
	if failed(p) {
		return rebuildResult{}, fmt.Errorf("project %d was not compared: %s", r.id, strings.Join(p.Problems, "; "))
	}
	return rebuildResult{Project: r.id, Tasks: p.Tasks, Found: p.MissedFound - r.before.MissedFound, Labels: p.Labels}, nil
}
