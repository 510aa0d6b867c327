package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// pollEvery is the pause between two requests of a waiting command.
const pollEvery = 200 * time.Millisecond

// await polls a project until done says so, reporting each state to progress.
func (c *cli) await(cl *api.Client, id event.ProjectID, done func(api.Project) bool, progress func(api.Project)) (api.Project, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		p, err := cl.Project(c.cmd.Context(), id)
		if err != nil {
			return p, err
		}
		if done(p) {
			return p, nil
		}
		if progress != nil {
			progress(p)
		}
		select {
		case <-c.cmd.Context().Done():
			return p, fmt.Errorf("stopped waiting; hone goes on with it (see `hone status --project %d`)", id)
		case <-tick.C:
		}
	}
}

func newRetrain(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retrain",
		Short: "Choose settings anew and rebuild a project's model, as a new version",
		Long: `Choose settings anew and rebuild a project's model from its labels, as a new
version. What comes of it depends on the labels and their texts alone: it waits for
the vectors of a slow encoder, and the live model is compared with, and nothing
else. Settings that a rollback holds follow the labels again.`,
		Example: `  hone retrain --project 3
  hone retrain --project 3 --no-wait`,
		Args: cobra.NoArgs,
	}
	noWait := cmd.Flags().Bool("no-wait", false, "return as soon as hone accepted it")
	c.onProject(cmd, func(ctx context.Context, cl *api.Client, id event.ProjectID) error {
		at, err := cl.Retrain(ctx, id)
		if err != nil || *noWait {
			return err
		}
		bar, waiting := newBar(100, "retraining"), false
		p, err := c.await(cl, id,
			func(p api.Project) bool { return p.Retrain.Last != nil && !p.Retrain.Last.Before(at) },
			func(p api.Project) {
				if r := p.Retrain; r.Running && r.Waiting != "" && !waiting {
					waiting = true
					_, _ = fmt.Fprintf(os.Stderr, "it waits %s\n", r.Waiting)
				}
				_ = bar.Set(int(100 * p.Retrain.Progress))
			})
		if err != nil {
			return err
		}
		_ = bar.Finish()
		if strings.HasPrefix(p.Retrain.Outcome, "failed: ") {
			return fmt.Errorf("the retrain of project %d %s; hone tries again", id, p.Retrain.Outcome)
		}
		c.printf("project %d: %s; %s is live\n", id, p.Retrain.Outcome, p.ModelVersion)
		return nil
	})
	return cmd
}

// newComplaint returns a function that tells of what holds hone up, which it tries again:
// each thing once, until it is another.
func newComplaint() func(why string) {
	told := ""
	return func(why string) {
		if why != "" && why != told {
			_, _ = fmt.Fprintf(os.Stderr, "not now, and tried again: %s\n", why)
			told = why
		}
	}
}

// newBar is a progress bar on a terminal, and silent elsewhere.
func newBar(limit int, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions(limit,
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetVisibility(isatty.IsTerminal(os.Stderr.Fd())),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish(),
	)
}
