package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hone-ml/hone/labelstudio/regions"
)

// exportedTask is a task of Label Studio's JSON export.
type exportedTask struct {
	ID          json.RawMessage `json:"id"`
	Data        json.RawMessage `json:"data"`
	Annotations []struct {
		Result    json.RawMessage `json:"result"`
		Cancelled bool            `json:"was_cancelled"`
	} `json:"annotations"`
}

// readExport reads a list of tasks. Tasks nobody answered are left out.
func readExport(path string, r io.Reader) ([]labelledEntry, error) {
	d := json.NewDecoder(r)
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out []labelledEntry
	n := 1
	for ; d.More(); n++ {
		where := fmt.Sprintf("%s, task %d of the list", path, n)
		var t exportedTask
		if err := d.Decode(&t); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		e, err := t.toEntry()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		e.number = n
		if e.where = where; len(e.results) > 0 {
			out = append(out, e)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%s: the list does not end: %w", path, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: none of its %d tasks has an annotation; export labelled tasks as JSON", path, n-1)
	}
	return out, nil
}

func (t *exportedTask) toEntry() (labelledEntry, error) {
	e := labelledEntry{data: t.Data}
	if len(t.Data) == 0 || t.Data[0] != '{' {
		return e, errors.New(`it has no "data" object; export as JSON, not as JSON-MIN, or write one {"text", "label"} a line`)
	}
	for i, a := range t.Annotations {
		if a.Cancelled {
			continue
		}
		rs, err := regions.Decode(a.Result)
		if err != nil {
			return e, fmt.Errorf("annotation %d: %w", i+1, err)
		}
		if rs != nil {
			e.results = append(e.results, rs)
		}
	}
	return e, nil
}
