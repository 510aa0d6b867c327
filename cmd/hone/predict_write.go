package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/records"
)

// predictionWriter writes predictions, each beside its record.
type predictionWriter interface {
	Write(rec records.Record, from api.PredictResponse, p api.TaskPrediction) error
	Flush() error
}

// newPredictionWriter returns the writer of a format for the records of a file.
func newPredictionWriter(w io.Writer, format string, r *records.Reader, plan api.PredictResponse) (predictionWriter, error) {
	switch records.Form(format) {
	case records.JSONL:
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return lineWriter{enc}, nil
	case records.CSV, records.TSV:
		t := newTableWriter(w, r.Columns(), plan.Controls)
		if records.Form(format) == records.TSV {
			t.w.Comma = '\t'
		}
		return t, t.writeHeader()
	}
	return nil, fmt.Errorf("--format %q is none of csv, tsv and jsonl", format)
}

// predictedLine is a line of JSON lines.
type predictedLine struct {
	Line         int                         `json:"line"`
	Data         json.RawMessage             `json:"data"`
	ModelVersion string                      `json:"model_version"`
	Predictions  map[string]predictedControl `json:"predictions"`
}

// predictedControl is what is predicted of one control.
type predictedControl struct {
	// Label is that of a control which takes one, Labels those of others.
	Label         string               `json:"label,omitempty"`
	Labels        *[]string            `json:"labels,omitempty"`
	Number        *float64             `json:"number,omitempty"`
	Spans         *[]api.PredictedSpan `json:"spans,omitempty"`
	Confidence    float64              `json:"confidence"`
	Probabilities map[string]float64   `json:"probabilities,omitempty"`
}

type lineWriter struct{ enc *json.Encoder }

func (l lineWriter) Flush() error { return nil }

func (l lineWriter) Write(rec records.Record, from api.PredictResponse, p api.TaskPrediction) error {
	line := predictedLine{Line: rec.Line, Data: rec.Object, ModelVersion: from.ModelVersion, Predictions: map[string]predictedControl{}}
	for _, a := range p.Controls {
		out := predictedControl{Number: a.Number, Spans: a.Spans, Confidence: a.Confidence, Probabilities: map[string]float64{}}
		if a.Labels != nil && a.Exclusive && len(*a.Labels) == 1 {
			out.Label = (*a.Labels)[0]
		} else {
			out.Labels = a.Labels
		}
		for _, l := range a.Probabilities {
			out.Probabilities[l.Label] = l.Probability
		}
		line.Predictions[a.Control] = out
	}
	return l.enc.Encode(line)
}

// tableWriter writes CSV: the columns of the file, and those of the predictions.
type tableWriter struct {
	w        *csv.Writer
	columns  []string // of the file, nil where it has none
	kept     []int    // which of them are written
	controls []api.AnsweredControl
}

// columnsOf are the columns of a control's answers, the answer itself first.
func columnsOf(c api.AnsweredControl) []string {
	answer := c.Answer
	if answer == "labels" {
		answer = "label"
	}
	out := []string{c.Control + "." + answer, c.Control + ".confidence"}
	if c.Answer == "labels" {
		for _, l := range c.Labels {
			out = append(out, c.Control+".p."+l)
		}
	}
	return out
}

const versionColumn = "model_version"

func newTableWriter(w io.Writer, columns []string, controls []api.AnsweredControl) *tableWriter {
	t := &tableWriter{w: csv.NewWriter(w), columns: columns, controls: controls}
	added := []string{versionColumn}
	for _, c := range controls {
		added = append(added, columnsOf(c)...)
	}
	for i, c := range columns {
		if !slices.Contains(added, c) {
			t.kept = append(t.kept, i)
		}
	}
	return t
}

func (t *tableWriter) writeHeader() error {
	row := []string{}
	if t.columns == nil {
		row = append(row, "line")
	}
	for _, i := range t.kept {
		row = append(row, t.columns[i])
	}
	for _, c := range t.controls {
		row = append(row, columnsOf(c)...)
	}
	return t.w.Write(append(row, versionColumn))
}

func (t *tableWriter) Flush() error {
	t.w.Flush()
	return t.w.Error()
}

func (t *tableWriter) Write(rec records.Record, from api.PredictResponse, p api.TaskPrediction) error {
	if !reflect.DeepEqual(from.Controls, t.controls) {
		return fmt.Errorf("the label config changed meanwhile, and with it the columns: predict the file again, or use --format jsonl")
	}
	row := []string{}
	if t.columns == nil {
		row = append(row, strconv.Itoa(rec.Line))
	}
	for _, i := range t.kept {
		row = append(row, rec.Values[i])
	}
	for _, c := range t.controls {
		cells, err := cellsOf(c, p)
		if err != nil {
			return err
		}
		row = append(row, cells...)
	}
	if err := t.w.Write(append(row, from.ModelVersion)); err != nil {
		return err
	}
	return nil
}

// cellsOf are the cells of columnsOf, empty where the control has no answer.
func cellsOf(c api.AnsweredControl, p api.TaskPrediction) ([]string, error) {
	cells := make([]string, len(columnsOf(c)))
	i := slices.IndexFunc(p.Controls, func(a api.ControlPrediction) bool { return a.Control == c.Control })
	if i < 0 {
		return cells, nil
	}
	a := p.Controls[i]
	var err error
	switch {
	case a.Number != nil:
		cells[0] = strconv.FormatFloat(*a.Number, 'g', -1, 64)
	case a.Spans != nil:
		cells[0], err = jsonCell(*a.Spans)
	case a.Labels != nil && a.Exclusive && len(*a.Labels) == 1:
		cells[0] = (*a.Labels)[0]
	case a.Labels != nil:
		cells[0], err = jsonCell(*a.Labels)
	}
	cells[1] = formatProbability(a.Confidence)
	if c.Answer == "labels" {
		for _, l := range a.Probabilities {
			if j := slices.Index(c.Labels, l.Label); j >= 0 {
				cells[2+j] = formatProbability(l.Probability)
			}
		}
	}
	return cells, err
}

func formatProbability(p float64) string { return strconv.FormatFloat(p, 'g', 6, 64) }

func jsonCell(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
