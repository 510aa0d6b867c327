package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/state"
)

func newLogin(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login [URL]",
		Short: "Give hone a Label Studio and a token for it, once",
		Long: `Give hone a Label Studio and a token for it, once. The token is asked for, tried, and
stored in the data directory, in a file that only its owner can read. A hone that
runs uses it from now on, others when they start.

Make the token in Label Studio under Account & Settings > Personal Access Token. It
is never an argument, which every user of this machine could read: it is typed
without being shown, or comes as the first line of standard input.

LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, where both are set for "hone serve", count
before this.`,
		Example: `  hone login http://localhost:8080
  hone login https://labels.example.com < token.txt`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := c.config()
		if err != nil {
			return err
		}
		at := cfg.LabelStudio.URL
		if len(args) > 0 {
			at = args[0]
		}
		if at == "" {
			return errors.New("say where Label Studio is, as hone reaches it: hone login http://localhost:8080")
		}
		token, err := c.readToken(at)
		if err != nil {
			return err
		}
		rep, err := c.login(cmd.Context(), cfg, at, token)
		if err != nil {
			return err
		}
		return c.printReport(rep)
	}
	return c.withJSON(cmd)
}

// maxToken bounds what is read of a token; the longest, a personal access token, has some
// hundred characters.
const maxToken = 16 << 10

// readToken asks for the token where there is a terminal, and otherwise reads the first line
// of standard input.
func (c *cli) readToken(at string) (secret.Secret, error) {
	var line string
	if in, ok := c.cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		_, _ = fmt.Fprintf(c.cmd.ErrOrStderr(), "Token for %s (Account & Settings > Personal Access Token; it is not shown): ", at)
		raw, err := term.ReadPassword(int(in.Fd()))
		_, _ = fmt.Fprintln(c.cmd.ErrOrStderr())
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		line = string(raw)
	} else {
		var err error
		line, err = bufio.NewReader(io.LimitReader(c.cmd.InOrStdin(), maxToken)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the token from standard input: %w", err)
		}
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", errors.New("no token was given: make one in Label Studio under Account & Settings > Personal Access Token")
	}
	return secret.Secret(line), nil
}

// login has the running hone try and keep the token; where none runs, it is tried here and
// stored for the next one.
func (c *cli) login(ctx context.Context, cfg config.Config, at string, token secret.Secret) (api.Report, error) {
	cl, err := app.Client(cfg)
	if err != nil {
		return api.Report{}, err
	}
	rep, err := cl.Login(ctx, at, token)
	if !errors.Is(err, api.ErrNotRunning) {
		return rep, err
	}
	o, err := app.ClientOptions(cfg, logging.Silent())
	if err != nil {
		return api.Report{}, err
	}
	ls, rep, err := connect.CheckLogin(ctx, o, at, token)
	if ls == nil {
		return rep, err
	}
	defer ls.Close()
	if err := app.SaveLogin(ctx, cfg, ls.URL(), token); err != nil {
		if errors.Is(err, state.ErrInUse) {
			return api.Report{}, fmt.Errorf("a hone runs with this data directory, but not where this command looks for it: give it the same --listen or --config: %w", err)
		}
		return api.Report{}, err
	}
	rep.Steps = append(rep.Steps, api.Step{Level: "ok", Name: "login", What: "stored in " + cfg.DataDir + ", for its owner alone to read; `hone serve` uses it when it starts"})
	return rep, nil
}
