package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/cut"
	"github.com/hone-ml/hone/internal/records"
)

// The bounds of a batch: what of a file is in memory.
const (
	predictBatch = 100
	predictBytes = 1 << 20
)

// predictFlags holds the flags of predict.
type predictFlags struct {
	format, out string
	fields      []string
}

func newPredict(c *cli) *cobra.Command {
	var f predictFlags
	cmd := &cobra.Command{
		Use:   "predict FILE",
		Short: "Predict the texts of a file with what was learned, for use elsewhere",
		Long: `Predict the texts of a file with the model of a project: for each the labels and the
probabilities of all labels, for use elsewhere. FILE is CSV or TSV with a header, or
JSON lines, gzipped or not; - is standard input. The columns, or the keys, are the
fields that the label config shows, such as text for value="$text"; --field
text=body takes another column for one. The running hone predicts, a hundred lines
at a time; Label Studio hears nothing of it, and nothing is kept.

CSV has the columns of the file, and for each control CONTROL.label (a JSON list
where several labels may hold), .number or .spans, then .confidence and, for each
label, .p.LABEL; those of an earlier run are replaced. Of JSON lines it has the
number of the line in place of columns. JSON lines have line, data, model_version
and predictions by control. A line without a text has no prediction.`,
		Example: `  hone predict tickets.csv --project 3 --out predicted.csv
  hone predict tickets.csv --project 3 --field text=body --format jsonl
  zcat texts.jsonl.gz | hone predict - --project 3 | jq .predictions.topic.label`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%d files are given, and one is predicted: hone predict FILE, or - for standard input", len(args))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&f.format, "format", "", "csv, tsv or jsonl (default: as the file)")
	cmd.Flags().StringVar(&f.out, "out", "-", "file for the predictions (- for standard output)")
	cmd.Flags().StringSliceVar(&f.fields, "field", nil, "FIELD=COLUMN: the column that has what the label config calls FIELD")
	c.onProject(cmd, func(ctx context.Context, cl *api.Client, id event.ProjectID) error {
		return c.predict(ctx, cl, id, cmd.Flags().Arg(0), f)
	})
	return cmd
}

func (c *cli) predict(ctx context.Context, cl *api.Client, id event.ProjectID, file string, f predictFlags) (err error) {
	var in io.Reader
	name := file
	if file == "-" {
		in, name = c.cmd.InOrStdin(), "standard input"
	} else {
		opened, err := os.Open(file) // #nosec G304 -- named by the user
		if err != nil {
			return err
		}
		defer func() { _ = opened.Close() }()
		in = opened
	}
	r, err := records.NewReader(name, in)
	if err != nil {
		return err
	}
	if f.format == "" {
		f.format = string(r.Form())
	}
	// Before the first text: what is read, and whether there is a model.
	plan, err := cl.Predict(ctx, id, nil)
	if err != nil {
		return err
	}
	p := &predictRun{name: name, client: cl, project: id, reader: r, plan: plan, bar: newBar(-1, "predicting")}
	if p.fields, err = readFieldFlags(f.fields, plan.Fields); err != nil {
		return err
	}
	if err := p.checkColumns(); err != nil {
		return err
	}
	err = c.writeFile(f.out, func(w io.Writer) (err error) {
		if p.out, err = newPredictionWriter(w, f.format, r, plan); err != nil {
			return err
		}
		return p.predictAll(ctx)
	})
	_ = p.bar.Finish()
	if err != nil {
		return err
	}
	return p.summary(os.Stderr)
}

// readFieldFlags reads FIELD=COLUMN.
func readFieldFlags(pairs, known []string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range pairs {
		field, column, ok := strings.Cut(pair, "=")
		switch {
		case !ok || field == "" || column == "":
			return nil, fmt.Errorf("--field %q is not FIELD=COLUMN, such as text=body", pair)
		case !slices.Contains(known, field):
			return nil, fmt.Errorf("--field %q: the model does not read the field %s, only %s", pair, field, strings.Join(known, ", "))
		case out[field] != "":
			return nil, fmt.Errorf("--field gives the field %s twice", field)
		}
		out[field] = column
	}
	return out, nil
}

// predictRun predicts one file.
type predictRun struct {
	name    string
	client  *api.Client
	project event.ProjectID
	reader  *records.Reader
	fields  map[string]string // column by field, where they differ
	plan    api.PredictResponse
	out     predictionWriter
	bar     interface {
		Add(n int) error
		Finish() error
	}

	batch []records.Record
	data  []json.RawMessage
	bytes int

	lines, predicted, unencoded int
	versions                    []string
}

// checkColumns refuses a file whose header has no column that is read.
func (p *predictRun) checkColumns() error {
	columns := p.reader.Columns()
	if columns == nil {
		return nil
	}
	for field, column := range p.fields {
		if !slices.Contains(columns, column) {
			return fmt.Errorf("%s has no column %q for the field %s; its columns are %s", p.name, column, field, listNames(columns))
		}
	}
	found := len(p.fields) > 0
	for _, field := range p.plan.Fields {
		root, _, _ := strings.Cut(field, ".")
		found = found || slices.Contains(columns, field) || slices.Contains(columns, root)
	}
	if !found {
		return fmt.Errorf("%s has no column %s, which the label config of project %d shows; its columns are %s: name one with --field %s=COLUMN",
			p.name, strings.Join(p.plan.Fields, " or "), p.project, listNames(columns), p.plan.Fields[0])
	}
	return nil
}

// listNames lists the first of some names, shortened.
func listNames(names []string) string {
	const most = 20
	var out []string
	for i, n := range names {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(names)-most))
			break
		}
		out = append(out, fmt.Sprintf("%q", cut.Runes(n, 40)))
	}
	return strings.Join(out, ", ")
}

func (p *predictRun) predictAll(ctx context.Context) error {
	for {
		rec, err := p.reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		data, err := p.taskData(rec)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", p.name, rec.Line, err)
		}
		if len(data) > api.MaxPredictBody-1024 {
			return fmt.Errorf("%s:%d: the line is larger than the %d MiB that hone takes: shorten its text", p.name, rec.Line, api.MaxPredictBody>>20)
		}
		if len(p.batch) == predictBatch || len(p.batch) > 0 && p.bytes+len(data) > predictBytes {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		p.batch, p.data, p.bytes = append(p.batch, rec), append(p.data, data), p.bytes+len(data)
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if p.lines == 0 {
		return fmt.Errorf("%s has a header and no line below it", p.name)
	}
	return p.out.Flush()
}

// taskData is a record as a task's data: the fields under the names of the label config.
func (p *predictRun) taskData(rec records.Record) (json.RawMessage, error) {
	if len(p.fields) == 0 {
		return rec.Object, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(rec.Object, &fields); err != nil {
		return nil, err
	}
	taken := map[string]json.RawMessage{}
	for field, column := range p.fields {
		if v, ok := fields[column]; ok {
			taken[field] = v
		}
	}
	for field := range p.fields {
		delete(fields, field)
	}
	for field, v := range taken {
		fields[field] = v
	}
	return json.Marshal(fields)
}

// flush predicts the batch and writes it.
func (p *predictRun) flush(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	got, err := p.client.Predict(ctx, p.project, p.data)
	// The vectors of long texts may need more time than one request gives: they are kept, and
	// the next request goes on.
	for err == nil && got.Unencoded > 0 {
		before := got.Unencoded
		if got, err = p.client.Predict(ctx, p.project, p.data); err == nil && got.Unencoded >= before {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("%s:%d: %w", p.name, p.batch[0].Line, err)
	}
	if !slices.Contains(p.versions, got.ModelVersion) {
		p.versions = append(p.versions, got.ModelVersion)
	}
	p.unencoded += got.Unencoded
	for i, rec := range p.batch {
		if len(got.Predictions[i].Controls) > 0 {
			p.predicted++
		}
		if err := p.out.Write(rec, got, got.Predictions[i]); err != nil {
			return fmt.Errorf("%s:%d: %w", p.name, rec.Line, err)
		}
	}
	p.lines += len(p.batch)
	_ = p.bar.Add(len(p.batch))
	p.batch, p.data, p.bytes = p.batch[:0], p.data[:0], 0
	return nil
}

// summary says what came of the file. It is an error when no line has a prediction.
func (p *predictRun) summary(w io.Writer) error {
	if p.predicted == 0 {
		return fmt.Errorf("none of the %d lines of %s has a text: the model reads the field %s; take another with --field %s=KEY", p.lines, p.name, strings.Join(p.plan.Fields, ", "), p.plan.Fields[0])
	}
	said := fmt.Sprintf("%d lines predicted by %s", p.predicted, strings.Join(p.versions, ", then "))
	if rest := p.lines - p.predicted; rest > 0 {
		said += fmt.Sprintf("; %d have no text and no prediction", rest)
	}
	if p.unencoded > 0 {
		said += fmt.Sprintf("; %d were predicted without the vectors of the slow encoder, which did not come in time (see `hone status --project %d`)", p.unencoded, p.project)
	}
	_, err := fmt.Fprintln(w, said)
	return err
}
