package simulate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/hone-ml/hone/internal/records"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// labelledEntry is one labelled task of a file, as it was written.
type labelledEntry struct {
	where  string // "file:line" or "file, task 3", for errors
	number int    // of the line, or of the task in its list
	data   json.RawMessage
	// labels and multiple are of JSONL; results, one for each person who
	// answered, are of a Label Studio export.
	labels   []string
	multiple bool
	results  [][]regions.Region
	// tagged are the spans of a line with tokens and tags, in bytes of its text.
	tagged []regions.Span
	spans  bool
}

// readFile reads CSV and TSV by the ending of the name, and otherwise JSONL or a Label
// Studio JSON export; which of them is seen from the content. All may be gzipped.
func (s *Source) readFile(path string) ([]labelledEntry, error) {
	f, err := os.Open(path) // #nosec G304 -- named by the user
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if form := records.FormOf(path); form == records.CSV || form == records.TSV {
		return s.readTable(path, f)
	}
	r, err := records.Open(path, f)
	if err != nil {
		return nil, err
	}
	first, err := firstByte(r)
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s is empty", path)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	case first == '[':
		return readExport(path, r)
	}
	return s.readLines(path, r)
}

// firstByte peeks at what follows white space.
func firstByte(r *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		b, err := r.Peek(n)
		if len(b) < n {
			if err == nil || errors.Is(err, bufio.ErrBufferFull) {
				err = io.EOF
			}
			return 0, err
		}
		if !unicode.IsSpace(rune(b[n-1])) {
			return b[n-1], nil
		}
	}
}

func (s *Source) readLines(path string, r *bufio.Reader) ([]labelledEntry, error) {
	var out []labelledEntry
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			e, fault := s.readLine(line)
			if fault != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, n, fault)
			}
			e.where, e.number = fmt.Sprintf("%s:%d", path, n), n
			out = append(out, e)
		}
		if err != nil {
			break
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return out, nil
}

const wantLine = `each line is {"text": "...", "label": "..."}, or {"text": "...", "labels": ["...", "..."]} for several, or {"tokens": ["...", "..."], "tags": ["O", "B-..."]} for spans`

func (s *Source) readLine(line []byte) (labelledEntry, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return labelledEntry{}, fmt.Errorf("not a JSON object (%w); %s", err, wantLine)
	}
	if fields == nil {
		return labelledEntry{}, fmt.Errorf("null is not a JSON object; %s", wantLine)
	}
	s.renameKeys(fields)
	label, single := fields["label"]
	labels, multiple := fields["labels"]
	_, tokens := fields["tokens"]
	_, tags := fields["tags"]
	var e labelledEntry
	switch {
	case single && multiple:
		return e, errors.New(`it has both "label" and "labels"; keep one`)
	case tokens && tags:
		if single || multiple {
			return e, errors.New(`it has "tokens" and "tags" and labels too; keep one`)
		}
		return readTagged(fields["tokens"], fields["tags"])
	case !single && !multiple:
		return e, fmt.Errorf(`it has no "label"; %s`, wantLine)
	case single:
		name, err := labelName(label)
		if err != nil {
			return e, fmt.Errorf(`"label" %w`, err)
		}
		e.labels = []string{name}
	default:
		var list []json.RawMessage
		if json.Unmarshal(labels, &list) != nil || list == nil {
			return e, errors.New(`"labels" is not a list; use "label" for a single one`)
		}
		e.multiple = true
		for _, l := range list {
			name, err := labelName(l)
			if err != nil {
				return e, fmt.Errorf(`"labels": one of them %w`, err)
			}
			e.labels = append(e.labels, name)
		}
	}
	// The model must not be able to read the answer, whatever the config shows.
	delete(fields, "label")
	delete(fields, "labels")
	var err error
	e.data, err = json.Marshal(fields)
	return e, err
}

// renameKeys gives the text and the label of a line the names that lines have by default.
func (s *Source) renameKeys(fields map[string]json.RawMessage) {
	if v, ok := fields[s.Text]; ok && s.Text != "" && s.Text != "text" {
		fields["text"] = v
		delete(fields, s.Text)
	}
	if s.Label == "" || s.Label == "label" {
		return
	}
	v, ok := fields[s.Label]
	for _, key := range []string{s.Label, "label", "labels"} {
		delete(fields, key)
	}
	switch {
	case !ok:
	case len(v) > 0 && v[0] == '[':
		fields["labels"] = v
	default:
		fields["label"] = v
	}
}

// readTagged reads a sentence as words and, for each, whether a span begins at it
// (B-label), goes on (I-label) or is elsewhere (O). The text has a space between
// two words. A span that goes on from nothing or from another label begins there.
func readTagged(rawTokens, rawTags json.RawMessage) (labelledEntry, error) {
	var tokens, tags []string
	if json.Unmarshal(rawTokens, &tokens) != nil || json.Unmarshal(rawTags, &tags) != nil || len(tokens) != len(tags) {
		return labelledEntry{}, fmt.Errorf(`"tokens" and "tags" are not two lists of texts of the same length; %s`, wantLine)
	}
	e := labelledEntry{spans: true}
	var text strings.Builder
	last := ""
	for i, token := range tokens {
		if i > 0 {
			text.WriteByte(' ')
		}
		from := text.Len()
		text.WriteString(strings.ToValidUTF8(token, "\uFFFD"))
		position, label, found := strings.Cut(tags[i], "-")
		label = strings.TrimSpace(label)
		switch {
		case tags[i] == "O":
			last = ""
			continue
		case !found || label == "" || position != "B" && position != "I":
			return labelledEntry{}, fmt.Errorf(`tag %d is %q, not "O", "B-label" or "I-label"`, i+1, tags[i])
		case position == "I" && label == last:
			e.tagged[len(e.tagged)-1].End = text.Len()
		case text.Len() > from:
			e.tagged = append(e.tagged, regions.Span{Start: from, End: text.Len(), Labels: []string{label}})
			last = label
		}
	}
	var err error
	e.data, err = json.Marshal(map[string]string{"text": text.String()})
	return e, err
}

// labelName reads a label: a text, or a number or truth value as it is written.
func labelName(raw json.RawMessage) (string, error) {
	var name string
	switch raw = bytes.TrimSpace(raw); raw[0] {
	case '{', '[', 'n':
		return "", fmt.Errorf("is %.40s, not a text", raw)
	case '"':
		if err := json.Unmarshal(raw, &name); err != nil {
			return "", err
		}
	default:
		name = string(raw)
	}
	if name = strings.TrimSpace(name); name == "" {
		return "", errors.New("is empty")
	}
	return name, nil
}
