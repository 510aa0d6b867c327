package labelstudio

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/wire"
)

// apiTask is a task as the API writes it: the fields a webhook's task has too,
// and more.
type apiTask struct {
	wireTask    wire.Task
	labeled     bool
	predictions int64
	annotations []wire.Annotation
	// annotated is true when the answer says which annotations there are.
	annotated bool
}

// UnmarshalJSON reads the fields hone needs.
func (w *apiTask) UnmarshalJSON(b []byte) error {
	*w = apiTask{}
	return jsonscan.Unmarshal(b, func(s *jsonscan.Scanner) error {
		return s.Object(func(key []byte) (err error) {
			switch string(key) {
			case "is_labeled":
				w.labeled, err = s.Bool()
			case "total_predictions":
				w.predictions, err = s.Int()
			case "annotations":
				w.annotated = true
				w.annotations, err = wire.ReadAnnotations(s, w.annotations)
			default:
				err = w.wireTask.Field(s, key)
			}
			return err
		})
	})
}

func (w apiTask) toTask() (Task, error) {
	if w.wireTask.ID <= 0 {
		return Task{}, errors.New("a task without an id")
	}
	t := Task{Task: w.wireTask.Event(), Predictions: int(w.predictions), Labeled: w.labeled}
	for _, a := range w.annotations {
		a.Task = t.ID
		annotation, err := checkedAnnotation(a)
		if err != nil {
			return Task{}, fmt.Errorf("task %d: %w", t.ID, err)
		}
		t.Annotations = append(t.Annotations, annotation)
	}
	slices.SortFunc(t.Annotations, func(a, b event.Annotation) int { return cmp.Compare(a.ID, b.ID) })
	return t, nil
}

func checkedAnnotation(a wire.Annotation) (event.Annotation, error) {
	if a.ID <= 0 {
		return event.Annotation{}, errors.New("an annotation without an id")
	}
	return a.Annotation, nil
}

// decodeList reads {"<list>": [...], "total": n, ...} without holding the list,
// or a bare [...] when list is empty. each must decode exactly one value.
func decodeList(r io.Reader, list string, total *int, each func(*json.Decoder) error) error {
	d := json.NewDecoder(r)
	if list == "" {
		return decodeArray(d, each)
	}
	if err := expectDelim(d, json.Delim('{')); err != nil {
		return err
	}
	seen := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return noEOF(err)
		}
		switch key {
		case list:
			seen = true
			err = decodeArray(d, each)
		case "total":
			err = d.Decode(total)
		default:
			var skip json.RawMessage
			err = d.Decode(&skip)
		}
		if err != nil {
			return noEOF(err)
		}
	}
	if err := expectDelim(d, json.Delim('}')); err != nil {
		return err
	}
	if !seen {
		return fmt.Errorf("no %q in it", list)
	}
	return nil
}

func decodeArray(d *json.Decoder, each func(*json.Decoder) error) error {
	if err := expectDelim(d, json.Delim('[')); err != nil {
		return err
	}
	for d.More() {
		if err := each(d); err != nil {
			return noEOF(err)
		}
	}
	return expectDelim(d, json.Delim(']'))
}

func expectDelim(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return noEOF(err)
	}
	if got != want {
		return fmt.Errorf("expected %s, found %v", want, got)
	}
	return nil
}

// noEOF: an answer that ends too early is a broken one, not an empty one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// errStopped ends a streamed list whose reader has had enough.
var errStopped = errors.New("stopped")

func sortIDs[T ~int64](ids []T) { slices.Sort(ids) }

func asAPIError(err error) (*APIError, bool) {
	var e *APIError
	ok := errors.As(err, &e)
	return e, ok
}
