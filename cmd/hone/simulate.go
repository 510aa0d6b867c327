package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/simulate"
	"github.com/hone-ml/hone/sampler/strategy"
)

// simulateFlags holds the flags of simulate.
type simulateFlags struct {
	source     simulate.Source
	options    simulate.Options
	encoder    string
	vectors    string
	adapt      string
	odds       string
	json, plot string
}

func newSimulate(c *cli) *cobra.Command {
	var s simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate --data FILE",
		Short: "Replay labelled data and show how fast hone would learn it",
		Long: `Replay labelled data through the learner and the sampler as "hone serve" runs
them: rank the tasks nobody has labelled, label the first ones from the known
answers, learn, and measure on other data. Needs no Label Studio and no running
hone. Without --test about a fifth of the data, --hold-out, is held out to measure
on: a hash of the text decides, so the same tasks each time, which are told.

Data are JSON lines, {"text": "...", "label": "..."}, or "labels": [...] where
several hold, or {"tokens": [...], "tags": ["O", "B-PER", ...]} for spans; CSV or
TSV with a header, by the ending of the name, whose columns --text and --label
name; or Label Studio's JSON export. All may be gzipped. Without a label
config the classes are the labels in the data; with one, its object tags say
which fields are read, and the hints of its labels are left out unless --hints is
given. The share of random tasks, sampler.random_share, and the
rest of the sampler are as configured.

Accuracy is the share of test tasks whose labels are exactly right, and what hone
abstains from counts as wrong. Macro-F1 is the mean over the labels in the test
data. Span F1 is that of all spans together, right with both ends and the label.
Each is the mean over the seeds, with the standard deviation. Labels saved against
random: how many more labels random needs, on its mean curve, for the same accuracy
(span F1 where spans are labelled), with its standard error, a jackknife over the
seeds; "more than" where random does not get there. Below are each strategy's mean
from 10 labels on, the area under its curve, and in brackets how far above random
that is: the mean difference of equal seeds ± its standard error; then how many
labels it needs to be where random ends, and the seconds that a curve took. The
first strategy is compared with each other one in the same way. --plot draws all
curves, each in a band of one standard error of the mean to both sides.

The first tasks of a strategy are its own choice; with --random-start they are the
same random ones for all.

A strategy that does worse than random is left for random, as by hone serve; the table
at the end says in how many runs, and what share of the labels it chose until then.
--unguarded keeps it.

With --odds on each task is drawn with a known probability, the higher the more the
strategy gains by it. The table at the end says how often the 95 % intervals of the
labels' shares, estimated from all answers, held the shares in --data, over all
labels and for the worst one; how far off the estimates were (root mean square), how
wide the intervals, and how wide against those of as many random labels; and the
same of the accuracy, on the test data. All is run without odds too: the last lines
are by how much the area under the curve changes. --design-effect bounds by how
much larger than of random labels the variance gets where the model's errors have
nothing to do with the odds.

The strategies are ` + strings.Join(strategy.Names(), ", ") + ".",
		Example: `  hone simulate --data labelled.csv
  hone simulate --data train.jsonl --test test.jsonl
  hone simulate --data train.jsonl.gz --test test.jsonl.gz --strategy margin,random \
      --labels 0,50,100,200,500 --batch 10 --seeds 5 --plot curve.svg --json out.json
  hone simulate --data export.json --test held-out.json --label-config config.xml
  hone simulate --data tickets.csv --test later.csv --text body --label topic
  hone simulate --data train.jsonl --test test.jsonl --descriptions labels.json
  hone simulate --data train.jsonl --test test.jsonl --anonymous-labels
  hone simulate --data train.jsonl --odds on --labels 10,50,100,300 --seeds 20`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&s.source.Train, "data", "", "labelled data to learn from (required)")
	f.StringVar(&s.source.Test, "test", "", "labelled data to measure on (default: a part of --data)")
	f.Float64Var(&s.source.HoldOut, "hold-out", 0.2, "share of --data to measure on when there is no --test")
	f.StringVar(&s.source.LabelConfig, "label-config", "", "file with Label Studio's XML (default: one Choices, or Labels, with the labels in the data)")
	f.StringVar(&s.source.Text, "text", "", "column, or key, of the texts (default text, or as the label config says)")
	f.StringVar(&s.source.Label, "label", "", "column, or key, of the labels (default label)")
	f.StringVar(&s.source.LabelSeparator, "label-separator", "", "separates several labels in one cell of CSV, such as ; (default: a cell is one label)")
	f.BoolVar(&s.source.Hints, "hints", false, "have the model read the hints of the labels in the label config, as hone serve does")
	f.StringVar(&s.source.Descriptions, "descriptions", "", `file with lines that say what each label means: {"label": ["line", "line"]}`)
	f.BoolVar(&s.source.Anonymous, "anonymous-labels", false, "rename the labels A1, A2 and so on, to see what their names contribute")
	f.StringSliceVar(&s.options.Strategies, "strategy", nil, "strategies, of those above (default: the configured one and random)")
	f.IntSliceVar(&s.options.Labels, "labels", []int{0, 10, 25, 50, 100, 200, 500}, "numbers of labels at which to measure")
	f.IntVar(&s.options.Batch, "batch", 1, "tasks labelled between two rankings")
	f.IntVar(&s.options.Start, "random-start", 0, "tasks asked at random first, by each strategy the same ones")
	f.IntVar(&s.options.Seeds, "seeds", 5, "repetitions, each with another random order")
	f.IntVar(&s.options.Jobs, "jobs", 0, "curves to run at once (default: one a core)")
	f.StringVar(&s.encoder, "encoder", "", "features: "+strings.Join(encoders.Names(), ", ")+" (default: as configured)")
	f.StringVar(&s.adapt, "adapt", "", "whether the transformer adapts to the labels: auto or off (default: as configured, where --encoder can)")
	f.StringVar(&s.vectors, "vectors", "", "file that keeps what a slow encoder made of the texts, for the next run; made if it is not there")
	f.BoolVar(&s.options.Estimate, "estimate", false, "estimate the accuracy over all tasks as \"hone status\" does, and compare it with the test data")
	f.IntVar(&s.options.RankWhole, "rank-whole", 0, "pools of more tasks are scored a share at a time; 0: as hone serve, 20000")
	f.BoolVar(&s.options.Unguarded, "unguarded", false, "keep a strategy that loses to random, which hone serve would leave")
	f.StringVar(&s.odds, "odds", "off", "on: draw tasks with known probabilities, and estimate the labels' shares by all answers")
	f.Float64Var(&s.options.DesignEffect, "design-effect", 2, "of the odds: above 1; more is nearer to the strategy, and less certain of shares")
	f.StringVar(&s.json, "json", "", "file for the curves as JSON (- for standard output, in place of the table)")
	f.BoolVar(&s.options.Asked, "asked", false, "list in --json which tasks were asked, in order: their lines in --data, or places in an export")
	f.StringVar(&s.plot, "plot", "", "file for the curves as an SVG image")
	if err := cmd.MarkFlagRequired("data"); err != nil {
		panic(err) // the flag is right above
	}
	cmd.MarkFlagsMutuallyExclusive("test", "hold-out")
	cmd.RunE = func(*cobra.Command, []string) error { return c.simulate(s) }
	return cmd
}

func (c *cli) simulate(s simulateFlags) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	o := &s.options
	o.QueueSize, o.Front, o.RandomShare = cfg.Sampler.Queue, cfg.Sampler.Head, cfg.Sampler.RandomShare
	if s.encoder == "" {
		s.encoder = cfg.Learner.Encoder
	}
	enc, err := app.OpenEncoder(cfg.Learner, s.encoder)
	if err != nil {
		return err
	}
	if err := s.adaptBy(encoders.TrainerOf(enc), cfg.Learner.Adapt); err != nil {
		return err
	}
	if s.odds != "on" && s.odds != "off" {
		return fmt.Errorf("--odds %s; it must be on or off", s.odds)
	}
	o.Odds = s.odds == "on"
	if len(o.Strategies) == 0 {
		o.Strategies = []string{cfg.Sampler.Strategy}
		if cfg.Sampler.Strategy != strategy.NameRandom {
			o.Strategies = append(o.Strategies, strategy.NameRandom)
		}
	}
	if err := o.Validate(); err != nil { // before anything is encoded
		return err
	}
	if h := s.source.HoldOut; !(h > 0 && h < 1) {
		return fmt.Errorf("--hold-out %g; it must be a share between 0 and 1, such as 0.2", h)
	}
	data, err := simulate.Load(s.source)
	if err != nil {
		return err
	}
	if most := o.Labels[max(0, len(o.Labels)-1):]; len(most) > 0 && most[0] > data.Pool() {
		_, _ = fmt.Fprintf(os.Stderr, "%d labels are more than the %d tasks in %s; measuring with all of them\n", most[0], data.Pool(), s.source.Train)
	}
	if n := data.Hints(); n > 0 {
		_, _ = fmt.Fprintf(os.Stderr, "%d hints of labels in %s are left out; --hints has the model read them, as hone serve does\n", n, s.source.LabelConfig)
	}
	o.Encoder = enc.Fast
	if slow := enc.Blocking(); slow != nil {
		if err := c.encodeAhead(slow, data.Needs(), s.vectors); err != nil {
			return err
		}
		o.Encoder = slow
	}
	bar := newBar(-1, "labelling")
	defer func() { _ = bar.Finish() }()
	o.Progress = func(done, all int) {
		bar.ChangeMax(all)
		_ = bar.Set(done)
	}
	began := time.Now()
	res, err := simulate.Run(c.cmd.Context(), data, *o)
	if err != nil {
		return err
	}
	_ = bar.Finish()
	if s.json != "-" {
		c.printf("%d classes, %d tasks to learn from, %d to measure on, %s features, %d seeds, %v\n\n",
			data.Classes(), data.Pool(), data.Test(), s.encoder, o.Seeds, time.Since(began).Round(100*time.Millisecond))
		if h := data.HeldOut(); h != nil {
			c.printf("No --test: %d of the %d tasks of %s are held out to measure on, by a hash of their text, the same each time: numbers %s\n\n", h.Tasks, h.Of, s.source.Train, firstNumbers(h.Numbers))
		}
		tables := []func(io.Writer) error{res.Table, res.AreaTable, res.GuardTable, res.OddsTable}
		if o.Estimate {
			tables = append(tables, res.EstimateTable)
		}
		for _, write := range tables {
			if err := write(c.out()); err != nil {
				return err
			}
		}
	}
	if s.json != "" {
		err := c.writeFile(s.json, func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(res)
		})
		if err != nil {
			return err
		}
	}
	if s.plot != "" {
		title := fmt.Sprintf("%s, %s features, mean of %d seeds, bands of one standard error", filepath.Base(s.source.Train), s.encoder, o.Seeds)
		return c.writeFile(s.plot, func(w io.Writer) error { return res.Plot(w, title) })
	}
	return nil
}

// adaptBy has the encoder adapt if the flag says so or, without one, the configuration. trainer is nil for an
// encoder that cannot.
func (s *simulateFlags) adaptBy(trainer *encoders.Trainer, configured string) error {
	if s.adapt == "" && trainer != nil {
		s.adapt = configured
	}
	switch {
	case s.adapt == "":
	case s.adapt != "auto" && s.adapt != "off":
		return fmt.Errorf("--adapt %s; it must be auto or off", s.adapt)
	case s.adapt == "off":
	case trainer == nil:
		return fmt.Errorf("--adapt auto is for --encoder %s and %sDIR, not for %s", encoders.MiniLM, encoders.BERT, s.encoder)
	default:
		s.options.Trainer = trainer
	}
	return nil
}

// firstNumbers lists the first of some numbers.
func firstNumbers(numbers []int) string {
	const most = 10
	var out []string
	for _, n := range numbers[:min(most, len(numbers))] {
		out = append(out, strconv.Itoa(n))
	}
	if len(numbers) > most {
		return strings.Join(out, ", ") + " and so on (--json has all)"
	}
	return strings.Join(out, ", ")
}

// encodeAhead encodes texts ahead, except those whose vectors are in a file, and adds their
// vectors to the file. Without a name there is no file.
func (c *cli) encodeAhead(slow *encode.Blocking, needs []encode.Request, file string) error {
	if file != "" {
		err := takeVectors(slow, file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read the vectors in %s: %w; name another file or delete it", file, err)
		}
	}
	had := slow.Len()
	bar := newBar(-1, "encoding")
	defer func() { _ = bar.Finish() }()
	err := slow.Precompute(c.cmd.Context(), needs, func(done, all int) {
		bar.ChangeMax(all)
		_ = bar.Set(done)
	})
	if file != "" && slow.Len() > had {
		err = errors.Join(err, c.writeFile(file, slow.Save)) // also of a run that was interrupted
	}
	return err
}

func takeVectors(slow *encode.Blocking, file string) error {
	f, err := os.Open(file) // #nosec G304 -- the user named it
	if err != nil {
		return err
	}
	return errors.Join(slow.Restore(f), f.Close())
}

// writeFile writes a file that is either whole or not there; - is standard output.
func (c *cli) writeFile(path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(c.out())
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644) // #nosec G302 -- a result, not a secret
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
