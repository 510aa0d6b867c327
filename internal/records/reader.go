package records

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Form is how a file is written.
type Form string

// The forms. List is a JSON list, which is recognised and not read here.
const (
	CSV   Form = "csv"
	TSV   Form = "tsv"
	JSONL Form = "jsonl"
	List  Form = "list"
)

// MaxRecord bounds a record, in bytes of the file.
const MaxRecord = 16 << 20

// readAhead is how much more than a record may have been read.
const readAhead = 64 << 10

// errTooLong says that a record is larger than MaxRecord.
var errTooLong = errors.New("record too long")

// ErrEmpty says that a file has no record at all.
var ErrEmpty = errors.New("is empty")

// Reader reads the records of one file.
type Reader struct {
	name    string
	form    Form
	line    int
	columns []string
	bounded *boundedReader
	csv     *csv.Reader
	lines   *bufio.Reader
}

// NewReader returns a reader of a file with a name, which is for errors and says by its
// ending what the form is; the content decides where it does not. The errors are those of a file
// that is empty, that is a JSON list, or whose first line is no header.
func NewReader(name string, file io.Reader) (*Reader, error) {
	r := &Reader{name: name}
	content, err := Open(name, file)
	if err != nil {
		return nil, err
	}
	if r.form, err = Detect(name, content); err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	r.bounded = &boundedReader{of: content}
	switch r.form {
	case List:
		return nil, fmt.Errorf("%s is a JSON list: write one object a line, as `jq -c '.[]'` does", name)
	case JSONL:
		r.lines = bufio.NewReaderSize(r.bounded, readAhead)
		return r, nil
	}
	separator := '\t'
	if r.form == CSV {
		separator = separatorOf(content)
	}
	r.csv = csv.NewReader(r.bounded)
	r.csv.Comma, r.csv.FieldsPerRecord = separator, -1
	return r, r.readHeader()
}

// Form is the form of the file.
func (r *Reader) Form() Form { return r.form }

// Columns are the names in the header of CSV and TSV; nil of JSON lines.
func (r *Reader) Columns() []string { return r.columns }

// Next returns the next record. The error is io.EOF at the end; others name file and line,
// and no record comes after them.
func (r *Reader) Next() (Record, error) {
	r.bounded.read = 0
	if r.form == JSONL {
		return r.nextLine()
	}
	return r.nextRow()
}

// fault is an error at a line.
func (r *Reader) fault(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", r.name, line, fmt.Errorf(format, args...))
}

// Open returns the content of a file without compression and byte order mark. name is for errors.
func Open(name string, file io.Reader) (*bufio.Reader, error) {
	r := bufio.NewReaderSize(file, readAhead)
	if magic, _ := r.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r = bufio.NewReaderSize(z, readAhead)
	}
	switch mark, _ := r.Peek(3); {
	case string(mark) == "\xef\xbb\xbf":
		_, _ = r.Discard(3)
	case bytes.HasPrefix(mark, []byte{0xff, 0xfe}), bytes.HasPrefix(mark, []byte{0xfe, 0xff}):
		return nil, fmt.Errorf("%s is UTF-16: save it as UTF-8", name)
	}
	return r, nil
}

// Detect returns the form of a file, from the ending of its name or else from the first byte
// that is no white space. The error is ErrEmpty without any, or that of reading.
func Detect(name string, content *bufio.Reader) (Form, error) {
	first, err := firstByte(content)
	if err != nil {
		return "", err
	}
	form := FormOf(name)
	switch {
	case form == CSV || form == TSV:
		return form, nil
	case first == '[':
		return List, nil
	case first == '{' || form == JSONL:
		return JSONL, nil
	}
	return CSV, nil
}

// FormOf is the form that the ending of a name says, which may go on with .gz; "" when it says
// none.
func FormOf(name string) Form {
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")) {
	case ".csv":
		return CSV
	case ".tsv", ".tab":
		return TSV
	case ".json", ".jsonl", ".ndjson":
		return JSONL
	}
	return ""
}

func firstByte(r *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		b, err := r.Peek(n)
		if len(b) < n {
			if err == nil || errors.Is(err, bufio.ErrBufferFull) || errors.Is(err, io.EOF) {
				return 0, ErrEmpty
			}
			return 0, fmt.Errorf("cannot be read: %w", err)
		}
		if c := b[n-1]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, nil
		}
	}
}

// separatorOf returns what separates the columns of a header: a comma, or the semicolon or tab
// that some programs write, where it has more of them.
func separatorOf(content *bufio.Reader) rune {
	b, _ := content.Peek(readAhead)
	count := map[byte]int{}
	quoted := false
	for _, c := range bytes.TrimLeft(b, "\r\n") {
		if c == '\n' && !quoted {
			break
		}
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			count[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t'} {
		if count[c] > count[best] {
			best = c
		}
	}
	return rune(best)
}

// boundedReader ends with errTooLong when more than a record is read at once.
type boundedReader struct {
	of   io.Reader
	read int
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.read > MaxRecord+readAhead {
		return 0, errTooLong
	}
	n, err := b.of.Read(p)
	b.read += n
	return n, err
}
