package records

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Record is one record of a file.
type Record struct {
	// Line is where it begins, from 1.
	Line int
	// Values are those of the columns of CSV and TSV; nil of JSON lines.
	Values []string
	// Object is the object of JSON lines. Of CSV and TSV it has each column that has a name,
	// as a text.
	Object json.RawMessage
}

// readHeader reads the names of the columns.
func (r *Reader) readHeader() error {
	names, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s %w", r.name, ErrEmpty)
	}
	if err != nil {
		return r.csvFault(err)
	}
	seen := map[string]bool{}
	for i, n := range names {
		n = strings.TrimSpace(strings.ToValidUTF8(n, "\uFFFD"))
		if strings.Contains(n, "\r") {
			return r.fault(1, "its lines end with a carriage return alone: save it with line feeds")
		}
		if n != "" && seen[n] {
			return r.fault(1, "two columns are named %.80q: rename one", n)
		}
		names[i], seen[n] = n, true
	}
	r.columns = names
	return nil
}

func (r *Reader) nextRow() (Record, error) {
	values, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return Record{}, io.EOF
	}
	if err != nil {
		return Record{}, r.csvFault(err)
	}
	r.line, _ = r.csv.FieldPos(0)
	if len(values) != len(r.columns) {
		return Record{}, r.fault(r.line, "it has %d columns, and the header has %d: a text with the separator %q in it must be in quotes", len(values), len(r.columns), r.csv.Comma)
	}
	for i, v := range values {
		values[i] = strings.ToValidUTF8(v, "\uFFFD")
	}
	object, err := objectOf(r.columns, values)
	if err != nil {
		return Record{}, r.fault(r.line, "%w", err)
	}
	return Record{Line: r.line, Values: values, Object: object}, nil
}

// objectOf is a row as a JSON object, in the order of its columns.
func objectOf(columns, values []string) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, c := range columns {
		if c == "" {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		if err := enc.Encode(c); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(values[i]); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// csvFault words what the CSV reader says, with the line and the fix.
func (r *Reader) csvFault(err error) error {
	var at *csv.ParseError
	switch {
	case errors.Is(err, errTooLong):
		return r.fault(r.line+1, "the record that begins here or after is longer than %d MiB: is a quote not closed?", MaxRecord>>20)
	case !errors.As(err, &at):
		return r.fault(r.line+1, "%w", err)
	case errors.Is(at.Err, csv.ErrBareQuote):
		return r.fault(at.Line, `a quote in a text that does not begin with one: put the whole text in quotes, and write the quote in it twice`)
	case errors.Is(at.Err, csv.ErrQuote):
		return r.fault(at.StartLine, `a text in quotes does not end, or has a single quote (") in it up to line %d: write each quote within quotes twice`, at.Line)
	}
	return r.fault(at.Line, "%w", at.Err)
}

func (r *Reader) nextLine() (Record, error) {
	for {
		r.bounded.read = 0
		line, err := r.readLine()
		if err != nil && !errors.Is(err, io.EOF) {
			return Record{}, r.fault(r.line, "%w", err)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if line[0] != '{' || !json.Valid(line) {
				return Record{}, r.fault(r.line, "not a JSON object: %s", jsonFault(line))
			}
			return Record{Line: r.line, Object: slices.Clone(line)}, nil
		}
		if err != nil {
			return Record{}, io.EOF
		}
	}
}

// jsonFault says why a line is no JSON object.
func jsonFault(line []byte) string {
	var value json.RawMessage
	if err := json.Unmarshal(line, &value); err != nil {
		return err.Error()
	}
	return `each line is to be one such as {"text": "..."}`
}

// readLine reads up to the next line feed. At the end of the file the error is io.EOF, with
// what is left.
func (r *Reader) readLine() ([]byte, error) {
	r.line++
	var line []byte
	for {
		part, err := r.lines.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxRecord || errors.Is(err, errTooLong) {
			return nil, fmt.Errorf("longer than %d MiB", MaxRecord>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
