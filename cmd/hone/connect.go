package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
)

// printReport prints one line a step, the fix below it.
func (c *cli) printReport(r api.Report) error {
	if c.json {
		if err := c.printJSON(r); err != nil {
			return err
		}
	} else {
		for _, s := range r.Steps {
			c.printf("%-4s  %s: %s\n", s.Level, s.Name, s.What)
			if s.Fix != "" {
				c.printf("      fix: %s\n", s.Fix)
			}
		}
	}
	if r.Failed() {
		return &silentError{errors.New("a step failed")}
	}
	return nil
}

func newConnect(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "connect --project ID",
		Short: "Register the running hone with a Label Studio project",
		Long: `Register the running hone with a Label Studio project: ML backend, webhook with
its secret header, uncertainty sampling, model version. Running it again mends
what is missing and changes nothing else.

With --poll nothing is registered, for a Label Studio that does not reach hone: one that
is hosted, in another network, or that blocks private addresses. Hone then reads the
changes itself, every second or two, and writes suggestions and their order as
everywhere. It needs no open port. Suggestions while a region is drawn, and the buttons
Start Training and Retrieve Predictions, need a Label Studio that reaches hone; "hone
retrain" and "hone prelabel" do the latter two. Connecting without --poll turns it off.`,
		Example: `  hone connect --project 3
  hone connect --project 3 --url http://hone.internal:9090
  hone connect --project 3 --poll`,
		Args: cobra.NoArgs,
	}
	project := withProject(cmd, "Label Studio's project id (the number in its address)")
	url := cmd.Flags().String("url", "", "hone's address as Label Studio sees it (default made from --listen)")
	poll := cmd.Flags().Bool("poll", false, "have hone read the changes itself: Label Studio does not reach it")
	_ = cmd.MarkFlagRequired("project")
	cmd.MarkFlagsMutuallyExclusive("poll", "url")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		if *poll {
			rep, err := cl.ConnectPolled(cmd.Context(), event.ProjectID(*project))
			if err != nil {
				return err
			}
			return c.printReport(rep)
		}
		at := *url
		if at == "" {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if at, err = api.BaseFromListen(cfg.Listen, cfg.TLS.On()); err != nil {
				return err
			}
		}
		rep, err := cl.Connect(cmd.Context(), event.ProjectID(*project), at)
		if err != nil {
			return err
		}
		return c.printReport(rep)
	}
	return c.withJSON(cmd)
}

func newDoctor(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check, both ways, what goes wrong between Label Studio and hone",
		Long: `Check whether hone reaches Label Studio with its token, whether Label Studio
reaches hone, and the settings that silently break learning: blocked private
addresses, doubled or unsigned webhooks, sampling, model version. Every fault
comes with its fix. The exit status is 1 when a check fails.`,
		Example: `  hone doctor
  hone doctor --project 3 --json`,
		Args: cobra.NoArgs,
	}
	project := withProject(cmd, "only this project (default: all that hone knows)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := c.config()
		if err != nil {
			return c.printReport(api.Report{Steps: []api.Step{{Level: "fail", Name: "configuration", What: err.Error(), Fix: "correct the keys named above; config.example.yaml explains each"}}})
		}
		cl, err := app.Client(cfg)
		if err != nil {
			return err
		}
		rep, err := cl.Doctor(cmd.Context(), event.ProjectID(*project))
		if errors.Is(err, api.ErrNotRunning) {
			rep = doctorAlone(cmd.Context(), cfg, err)
			err = nil
		}
		if err != nil {
			return err
		}
		return c.printReport(rep)
	}
	return c.withJSON(cmd)
}
