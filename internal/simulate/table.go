package simulate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hone-ml/hone/internal/records"
)

// readTable reads CSV or TSV. The column of the label is no part of a task's data; each other
// column is a field of it.
func (s *Source) readTable(path string, file io.Reader) ([]labelledEntry, error) {
	r, err := records.NewReader(path, file)
	if err != nil {
		return nil, err
	}
	label, text := cmp.Or(s.Label, "label"), cmp.Or(s.Text, "text")
	if !slices.Contains(r.Columns(), label) {
		return nil, fmt.Errorf("%s has no column %q; its columns are %q: name that of the labels with --label COLUMN", path, label, r.Columns())
	}
	if s.LabelConfig == "" && !slices.Contains(r.Columns(), text) {
		return nil, fmt.Errorf("%s has no column %q; its columns are %q: name that of the texts with --text COLUMN", path, text, r.Columns())
	}
	at := slices.Index(r.Columns(), label)
	var out []labelledEntry
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		e, err := s.readRow(rec, label, rec.Values[at])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, rec.Line, err)
		}
		e.where, e.number = fmt.Sprintf("%s:%d", path, rec.Line), rec.Line
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has a header and no line below it", path)
	}
	return out, nil
}

// readRow reads one row, of which one cell has the label or the labels.
func (s *Source) readRow(rec records.Record, label, cell string) (e labelledEntry, err error) {
	if s.LabelSeparator == "" {
		if cell = strings.TrimSpace(cell); cell == "" {
			return e, fmt.Errorf("the column %q is empty: take the line out, or give the label", label)
		}
		e.labels = []string{cell}
	} else {
		e.multiple = true
		for l := range strings.SplitSeq(cell, s.LabelSeparator) {
			if l = strings.TrimSpace(l); l != "" {
				e.labels = append(e.labels, l)
			}
		}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(rec.Object, &fields); err != nil {
		return e, err
	}
	s.renameKeys(fields)
	// The model must not be able to read the answer, whatever the config shows.
	delete(fields, "label")
	delete(fields, "labels")
	e.data, err = json.Marshal(fields)
	return e, err
}
