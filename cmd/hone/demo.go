package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/demo"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
)

type demoFlags struct {
	annotate, port    int
	data, dir, script string
	exit              bool
}

func newDemo(c *cli) *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start Label Studio and hone with a ready project, and label it by hand or by itself",
		Long: `Start a Label Studio of its own in a virtual environment (installed once, which
takes minutes), make a project of a thousand real questions on ten topics, start
hone, connect the two, and print where to label. With --annotate a simulated
annotator labels that many tasks, always the one Label Studio offers next.
Ctrl-C stops what the demo started, and nothing else.`,
		Example: `  hone demo
  hone demo --annotate 150`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.demo(cmd.Context(), f) },
	}
	cmd.Flags().IntVar(&f.annotate, "annotate", 0, "label this many tasks by itself")
	cmd.Flags().IntVar(&f.port, "label-studio-port", 8080, "port for Label Studio (0: any free one)")
	cmd.Flags().StringVar(&f.data, "data", filepath.Join("data", "clinc10"), "directory with label_config.xml, tasks.jsonl, test.jsonl")
	cmd.Flags().StringVar(&f.dir, "dir", "demo-data", "directory for the demo's databases and logs")
	cmd.Flags().StringVar(&f.script, "script", filepath.Join("scripts", "label-studio"), "script that installs and starts Label Studio")
	cmd.Flags().BoolVar(&f.exit, "exit", !isatty.IsTerminal(os.Stdin.Fd()), "with --annotate, stop when done (default: when there is no terminal)")
	return cmd
}

func (c *cli) demo(ctx context.Context, f demoFlags) (err error) {
	data, err := demo.Load(f.data)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	ls, err := startLabelStudio(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ls.stop(f)) }()

	cfg, err := c.config()
	if err != nil {
		return err
	}
	cfg.LabelStudio.URL, cfg.LabelStudio.APIKey = ls.url, secret.Secret(ls.token)
	cfg.DataDir = filepath.Join(f.dir, "hone")
	stop, err := startHone(ctx, cfg, filepath.Join(f.dir, "hone.log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	studio, err := labelstudio.NewClient(labelstudio.Options{URL: ls.url, Token: secret.Secret(ls.token)})
	if err != nil {
		return err
	}
	defer studio.Close()
	project, err := demo.NewProject(ctx, studio, "Hone demo "+time.Now().Format(time.DateTime), data)
	if err != nil {
		return err
	}
	cl, err := app.Client(cfg)
	if err != nil {
		return err
	}
	rep, err := cl.Connect(ctx, project, cl.Base)
	if err != nil {
		return err
	}
	if err := c.printReport(rep); err != nil {
		return err
	}
	if _, err := c.await(cl, project, func(p api.Project) bool { return p.Pool == len(data.Tasks) && p.Queue.Pushed > 0 }, nil); err != nil {
		return err
	}
	c.printf(`
Label Studio  %s/projects/%d/data  (login %s, password %s)
Hone          %s   (hone status --data-dir %s; log in %s)

Press "Label All Tasks" and label: after each answer hone learns, and the next
task is the one it is least sure of.

`, ls.url, project, ls.user, ls.password, cl.Base, cfg.DataDir, filepath.Join(f.dir, "hone.log"))
	if f.annotate > 0 {
		if err := c.annotate(ctx, f.annotate, &demo.Annotator{Studio: studio, Hone: cl, Project: project, Data: data}); err != nil {
			return err
		}
		if f.exit {
			return nil
		}
	}
	c.printf("Ctrl-C stops Label Studio and hone.\n")
	<-ctx.Done()
	return nil
}

// annotate plays the annotator and prints what came of it.
func (c *cli) annotate(ctx context.Context, n int, a *demo.Annotator) error {
	n = min(n, len(a.Data.Tasks))
	controls, err := app.LearnedControls(a.Data.LabelConfig)
	if err != nil {
		return err
	}
	a.Control = controls[0]
	bar := newBar(n, "labelling")
	var took []time.Duration
	type row struct {
		labels   int
		accuracy float64
	}
	var rows []row
	a.Progress = func(s demo.Step) {
		took = append(took, s.Took)
		bar.Describe(fmt.Sprintf("labelling, accuracy on unseen texts %.3f", s.Accuracy))
		_ = bar.Add(1)
		if s.Measured {
			rows = append(rows, row{s.Labels, s.Accuracy})
			if !isatty.IsTerminal(os.Stderr.Fd()) {
				c.printf("%4d labels, accuracy on %d unseen texts %.3f\n", s.Labels, len(a.Data.Test), s.Accuracy)
			}
		}
	}
	if err := a.Run(ctx, n); err != nil {
		return err
	}
	_ = bar.Finish()
	if isatty.IsTerminal(os.Stderr.Fd()) {
		for _, r := range rows {
			c.printf("%4d labels, accuracy on %d unseen texts %.3f\n", r.labels, len(a.Data.Test), r.accuracy)
		}
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	c.printf("\n%d labels. From Label Studio accepting a label to the new queue in Label Studio: median %v, 9 of 10 within %v.\n\n",
		len(took), took[len(took)/2].Round(time.Millisecond), took[len(took)*9/10].Round(time.Millisecond))
	return nil
}

// studioProcess is the Label Studio the script started.
type studioProcess struct {
	url, token, user, password string
}

func startLabelStudio(ctx context.Context, f demoFlags) (studioProcess, error) {
	dir := filepath.Join(f.dir, "label-studio")
	cmd := exec.CommandContext(ctx, f.script, "up", "--dir", dir, "--port", fmt.Sprint(f.port)) // #nosec G204 -- the user's own script
	// Ctrl-C reaches the whole process group; the script must not leave a half
	// started server, so it is asked to end and given time.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			return studioProcess{}, errors.Join(ctx.Err(), studioProcess{}.stop(f))
		}
		return studioProcess{}, fmt.Errorf("label studio did not start: %w (see above; `%s --help`)", err, f.script)
	}
	var ls studioProcess
	sc := bufio.NewScanner(strings.NewReader(string(out)))
	for sc.Scan() {
		k, v, _ := strings.Cut(sc.Text(), "=")
		switch k {
		case "LS_URL":
			ls.url = v
		case "LS_TOKEN":
			ls.token = v
		case "LS_USER":
			ls.user = v
		case "LS_PASSWORD":
			ls.password = v
		}
	}
	if ls.url == "" || ls.token == "" {
		return ls, fmt.Errorf("%s did not print LS_URL and LS_TOKEN", f.script)
	}
	return ls, nil
}

// stop stops the Label Studio of the demo's directory, whatever ended the demo.
func (studioProcess) stop(f demoFlags) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.script, "down", "--dir", filepath.Join(f.dir, "label-studio")) // #nosec G204 -- the user's own script
	cmd.Stderr = os.Stderr
	return cmd.Run()
}
