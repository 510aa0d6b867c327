package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/sampler/strategy"
)

// cli holds what all commands share.
type cli struct {
	cmd  *cobra.Command
	file string
	json bool
	// redirect, unless nil, takes what would go to standard output.
	redirect io.Writer
}

func newRoot() *cobra.Command {
	c := &cli{}
	root := &cobra.Command{
		Use:   "hone",
		Short: "Make Label Studio learn while people label",
		Long: `Hone learns from every annotation made in Label Studio, as it is made, and tells
Label Studio which tasks to ask about next. Start it with "hone serve", connect
a project with "hone connect", and look at it with "hone status".`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			c.cmd = cmd
			if f := cmd.Flags().Lookup("project"); f != nil && f.Changed {
				if id, err := cmd.Flags().GetInt64("project"); err == nil && id < 1 {
					return fmt.Errorf("--project must be a number from 1: %s", projectFix)
				}
			}
			return nil
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&c.file, "config", "", "configuration file (default ./config.yaml if it is there)")
	f.String("listen", "", "address hone serves on, and where commands look for it (default :9090)")
	f.String("data-dir", "", "directory of hone's database (default ./hone-data)")
	f.Bool("debug", false, "log everything")
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("hone {{.Version}}\n")
	root.AddCommand(
		newServe(c), newLogin(c), newSecret(c), newConnect(c), newDisconnect(c), newForget(c), newStatus(c), newConfigure(c), newDescribe(c), newDoctor(c), newRetrain(c), newEncode(c), newReconcile(c), newRebuild(c), newPrelabel(c), newPredict(c),
		newVersions(c), newRollback(c), newShares(c), newDeadLetter(c), newBackup(c), newRestore(c), newSimulate(c), newBench(c), newDemo(c), newHealthcheck(c), newVersion(), newTrainAdapter(),
	)
	return root
}

// config reads flags, environment, file and defaults, in that order of weight.
func (c *cli) config() (config.Config, error) {
	names := config.Names{Encoders: encoders.Names(), Strategies: strategy.Names()}
	return config.Load(config.Sources{File: c.file, Environ: os.Environ(), Flags: c.cmd.Flags(), Names: names})
}

// client returns a client for the hone that runs at the listen address.
func (c *cli) client() (*api.Client, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	return app.Client(cfg)
}

func (c *cli) out() io.Writer {
	if c.redirect != nil {
		return c.redirect
	}
	return c.cmd.OutOrStdout()
}

func (c *cli) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(c.out(), format, args...)
}

func (c *cli) printJSON(v any) error {
	enc := json.NewEncoder(c.out())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// withJSON adds --json to a command that prints a table.
func (c *cli) withJSON(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON for scripts")
	return cmd
}

// withProject adds --project and returns a pointer to its value.
func withProject(cmd *cobra.Command, usage string) *int64 {
	return cmd.Flags().Int64("project", 0, usage)
}

// onProject adds --project and has run do what the command does, with a client of
// the running hone.
func (c *cli) onProject(cmd *cobra.Command, run func(ctx context.Context, cl *api.Client, id event.ProjectID) error) {
	project := withProject(cmd, "which project (default: the only one)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		id, err := c.resolveProject(cl, *project)
		if err != nil {
			return err
		}
		return run(cmd.Context(), cl, id)
	}
}

// resolveProject resolves --project: 0 means the only one there is.
func (c *cli) resolveProject(cl *api.Client, id int64) (event.ProjectID, error) {
	if id > 0 {
		return event.ProjectID(id), nil
	}
	ps, err := cl.Projects(c.cmd.Context())
	switch {
	case err != nil:
		return 0, err
	case len(ps) == 1:
		return ps[0].ID, nil
	case len(ps) == 0:
		return 0, fmt.Errorf("hone knows no project yet: run `hone connect --project ID`")
	default:
		return 0, fmt.Errorf("hone knows %d projects: say which with --project ID (see `hone status`)", len(ps))
	}
}
