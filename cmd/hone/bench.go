package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/bench"
	"github.com/hone-ml/hone/internal/simulate"
)

// benchFlags holds the flags of bench.
type benchFlags struct {
	source        simulate.Source
	encoder, json string
	options       bench.Options
}

func newBench(c *cli) *cobra.Command {
	var b benchFlags
	cmd := &cobra.Command{
		Use:   "bench --data FILE",
		Short: "Measure how fast hone learns and predicts labelled data on this machine",
		Long: `Measure, on one core and through the code that "hone serve" runs, how many texts a
second hone encodes, learns and predicts, how long one more annotation takes, how
many webhooks a second are acknowledged, each on disk before, and how much memory
all of it takes. Needs no Label Studio and no running hone; the database is
temporary, in the directory of $TMPDIR, whose disk is what the webhooks meet.

Data are as for "hone simulate": JSON lines, {"text": "...", "label": "..."}, or
"labels": [...] where several hold; CSV or TSV; or Label Studio's JSON export;
gzipped or not.

In the file of --json:
  encode_per_s       texts to features, each for the first time; later on texts have
                     the vectors of slow encoders, which are kept
  learn_per_s        texts encoded and learned in one pass, as online learners do
  predict_per_s      tasks to probabilities, of texts not seen before
  apply_per_s        annotated tasks learned to the optimum, and on disk
  learn_one_p99_ms, learn_one_durable_p99_ms
                     one more annotation on top of all, without and with the disk
  predict_requests_per_s   /predict over HTTP, one task each, one after the other
  webhooks_per_s, webhooks_64_per_s, ack_p99_ms, ack_64_p99_ms
                     acknowledged with 1 and 64 senders; ack_p99_ms is of one
  rss_mb             the most memory held, the data included`,
		Example: `  hone bench --data train.jsonl
  hone bench --data train.jsonl.gz --encoder hashed --json out.json`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&b.source.Train, "data", "", "labelled data to learn and predict (required)")
	f.StringVar(&b.source.Text, "text", "", "column, or key, of the texts (default text)")
	f.StringVar(&b.source.Label, "label", "", "column, or key, of the labels (default label)")
	f.StringVar(&b.encoder, "encoder", "", "features: "+strings.Join(encoders.Names(), ", ")+" (default: as configured)")
	f.DurationVar(&b.options.For, "for", 2*time.Second, "about how long to measure each rate")
	f.IntVar(&b.options.Singles, "ones", 200, "single annotations to learn for the percentiles")
	f.StringVar(&b.json, "json", "", "file for the figures as JSON (- for standard output, in place of the table)")
	if err := cmd.MarkFlagRequired("data"); err != nil {
		panic(err) // the flag is right above
	}
	cmd.RunE = func(*cobra.Command, []string) error { return c.bench(b) }
	return cmd
}

func (c *cli) bench(b benchFlags) error {
	startGCTuner() // as serve does
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if b.options.For <= 0 {
		return fmt.Errorf("--for %v; it must be above 0, such as 2s", b.options.For)
	}
	if b.options.Singles < 1 {
		return fmt.Errorf("--ones %d; it must be at least 1, and 200 for a 99th percentile", b.options.Singles)
	}
	b.options.Budget = cfg.Learner.Budget
	if b.encoder == "" {
		b.encoder = cfg.Learner.Encoder
	}
	enc, err := app.OpenEncoder(cfg.Learner, b.encoder)
	if err != nil {
		return err
	}
	b.options.Encoder = enc.Fast
	if slow := enc.Blocking(); slow != nil {
		b.options.Encoder = slow
	}
	data, err := simulate.Load(b.source)
	if err != nil {
		return err
	}
	bar := newBar(-1, "measuring")
	defer func() { _ = bar.Finish() }()
	b.options.Progress = func(step, steps int, what string) {
		bar.ChangeMax(steps)
		bar.Describe(what)
		_ = bar.Set(step)
	}
	res, err := bench.Run(c.cmd.Context(), data, b.options)
	if err != nil {
		return err
	}
	_ = bar.Finish()
	if b.json != "-" {
		if err := res.Table(c.out()); err != nil {
			return err
		}
	}
	if b.json == "" {
		return nil
	}
	return c.writeFile(b.json, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(res)
	})
}
