package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/labelstudio"
)

func newServe(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Receive webhooks, learn, and keep Label Studio's queue in order",
		Long: `Receive Label Studio's webhooks, learn from them, answer as its ML backend, and
keep the tasks the model is least sure of at the front of its queue. Needs
LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, or takes both from the first Label
Studio that adds it under Settings > Model.

Whoever calls needs a secret, which "hone secret" prints, unless hone listens on a
loopback address only (--listen 127.0.0.1:9090).`,
		Example: `  LABEL_STUDIO_URL=http://localhost:8080 LABEL_STUDIO_API_KEY=... hone serve
  hone serve --config config.yaml --listen :9091 --debug`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			startGCTuner()
			cfg, err := c.config()
			if err != nil {
				return err
			}
			log, err := logging.New(os.Stderr, cfg.Log.Level, cfg.Log.Format, app.SecretsOf(cfg)...)
			if err != nil {
				return err
			}
			a, err := app.New(cmd.Context(), cfg, app.Options{Logger: log, Version: version, TrainCommand: trainCommand})
			if err != nil {
				return err
			}
			if out, ok := cmd.OutOrStdout().(*os.File); ok && isatty.IsTerminal(out.Fd()) {
				go c.tellPage(cmd.Context(), a)
			}
			return a.Run(cmd.Context())
		},
	}
	cmd.Flags().Bool("insecure", false, "let everybody who reaches the port call everything, without secret or token")
	return cmd
}

// tellPage says at a terminal where hone's page is, with a link that signs in. It is not for the log,
// which others read too.
func (c *cli) tellPage(ctx context.Context, a *app.App) {
	select {
	case <-ctx.Done():
	case <-a.Ready():
		c.printf("\nHone's page: %s\n(a link that signs in works once, for ten minutes; `hone secret --link` makes another)\n\n", a.PageAddress())
	}
}

// startHone runs hone inside this process until stop is called; its log goes to
// a file. It returns when hone is ready.
func startHone(ctx context.Context, cfg config.Config, logFile string) (stop func() error, err error) {
	f, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) // #nosec G304 -- the demo's own file
	if err != nil {
		return nil, err
	}
	log, err := logging.New(f, cfg.Log.Level, "text", app.SecretsOf(cfg)...)
	if err != nil {
		return nil, err
	}
	a, err := app.New(ctx, cfg, app.Options{Logger: log, Version: version, TrainCommand: trainCommand})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	wanted := ctx
	ctx, cancel := context.WithCancel(context.WithoutCancel(wanted))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop = func() error {
		cancel()
		return errors.Join(<-done, f.Close())
	}
	select {
	case <-a.Ready():
		return stop, nil
	case <-wanted.Done():
		return nil, errors.Join(wanted.Err(), stop())
	case err := <-done:
		cancel()
		return nil, errors.Join(fmt.Errorf("hone ended at once; see %s", logFile), err, f.Close())
	}
}

// doctorAlone makes the checks that need no running hone.
func doctorAlone(ctx context.Context, cfg config.Config, notRunning error) api.Report {
	rep := api.Report{Steps: []api.Step{{Level: "fail", Name: "hone", What: notRunning.Error()}}}
	if cfg.LabelStudio.URL == "" || cfg.LabelStudio.APIKey == "" {
		rep.Steps = append(rep.Steps, api.Step{Level: "warn", Name: "credential", What: connect.ErrNoCredential.Error()})
		return rep
	}
	quiet := logrus.NewEntry(logrus.New())
	quiet.Logger.SetLevel(logrus.PanicLevel)
	o, err := app.ClientOptions(cfg, quiet)
	if err != nil {
		rep.Steps = append(rep.Steps, api.Step{Level: "fail", Name: "tls.ca", What: err.Error()})
		return rep
	}
	c, err := labelstudio.NewClient(o)
	if err != nil {
		rep.Steps = append(rep.Steps, api.Step{Level: "fail", Name: "label_studio.url", What: err.Error()})
		return rep
	}
	defer c.Close()
	steps, _ := connect.CheckClient(ctx, c)
	rep.Steps = append(rep.Steps, steps...)
	return rep
}
