package wire

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/jsonscan"
)

// projectRef is a project as Label Studio names it: an id, "<id>.<unix seconds>",
// or the project's whole row, of which only these columns are read: there are
// secrets among the others.
type projectRef struct {
	ID        event.ProjectID
	CreatedAt int64 // unix seconds, 0 if unknown
	Known     bool  // false when the field was absent or null

	Title, LabelConfig     string
	ModelVersion, Sampling *string
}

func (p *projectRef) read(s *jsonscan.Scanner) error {
	*p = projectRef{}
	switch s.Kind() {
	case jsonscan.Null:
		return s.Skip()
	case jsonscan.Object:
		if err := p.readRow(s); err != nil {
			return err
		}
	case jsonscan.Number, jsonscan.String:
		value, err := s.Bytes()
		if err != nil {
			return err
		}
		var ok bool
		if p.ID, p.CreatedAt, ok = parseProjectUID(strings.Trim(string(value), `"`)); !ok {
			return &BodyError{Fault: `is neither an id nor "<id>.<unix seconds>"`}
		}
	default:
		return s.TypeError("an id or an object")
	}
	if p.ID <= 0 {
		return &BodyError{Field: "id", Fault: "is missing or not a positive number"}
	}
	p.Known = true
	return nil
}

func (p *projectRef) readRow(s *jsonscan.Scanner) error {
	return s.Object(func(key []byte) (err error) {
		switch string(key) {
		case "id":
			var id int64
			id, err = s.Int()
			p.ID = event.ProjectID(id)
		case "title":
			p.Title, err = s.Text()
		case "label_config":
			p.LabelConfig, err = s.Text()
		case "created_at":
			var t time.Time
			if t, err = s.Time(); !t.IsZero() {
				p.CreatedAt = t.Unix()
			}
		case "model_version":
			p.ModelVersion, err = s.OptionalText()
		case "sampling":
			p.Sampling, err = s.OptionalText()
		default:
			err = s.Skip()
		}
		return err
	})
}

// parseProjectUID reads "3" and "3.1795467032". The second is no decimal number:
// as one it could lose digits.
func parseProjectUID(s string) (event.ProjectID, int64, bool) {
	idPart, createdPart, dotted := strings.Cut(s, ".")
	id, err := strconv.ParseInt(idPart, 10, 64)
	if err != nil || id <= 0 {
		return 0, 0, false
	}
	if !dotted {
		return event.ProjectID(id), 0, true
	}
	created, err := strconv.ParseInt(createdPart, 10, 64)
	if err != nil || created < 0 {
		return 0, 0, false
	}
	return event.ProjectID(id), created, true
}

// Task are the fields hone reads of a task.
type Task struct {
	ID          int64
	Data        json.RawMessage
	UpdatedAt   time.Time
	Project     int64
	Annotations int64 // skipped ones among them
}

func (t *Task) read(s *jsonscan.Scanner) error {
	if s.Kind() != jsonscan.Object {
		return s.TypeError("an object")
	}
	return s.Object(func(key []byte) error { return t.Field(s, key) })
}

// Field reads the value of one of its keys, whichever it is.
func (t *Task) Field(s *jsonscan.Scanner, key []byte) (err error) {
	var n int64
	switch string(key) {
	case "id":
		t.ID, err = s.Int()
	case "data":
		t.Data, err = s.Raw()
	case "updated_at":
		t.UpdatedAt, err = s.Time()
	case "project":
		t.Project, err = s.IDOrObject()
	case "total_annotations", "cancelled_annotations":
		n, err = s.Int()
		t.Annotations += n
	default:
		err = s.Skip()
	}
	return err
}

func (t *Task) setID(id int64) { t.ID = id }

// Event is the task as the log has it.
func (t *Task) Event() event.Task {
	return event.Task{ID: event.TaskID(t.ID), Data: t.Data, UpdatedAt: t.UpdatedAt}
}

// Annotation are the fields hone reads of an annotation.
type Annotation struct {
	event.Annotation
	project int64
}

// UnmarshalJSON reads the fields hone needs.
func (a *Annotation) UnmarshalJSON(b []byte) error {
	*a = Annotation{}
	return jsonscan.Unmarshal(b, a.read)
}

func (a *Annotation) read(s *jsonscan.Scanner) error {
	if s.Kind() != jsonscan.Object {
		return s.TypeError("an object")
	}
	timed := false
	err := s.Object(func(key []byte) (err error) {
		var id int64
		switch string(key) {
		case "id":
			id, err = s.Int()
			a.ID = event.AnnotationID(id)
		case "task":
			id, err = s.IDOrObject()
			a.Task = event.TaskID(id)
		case "project":
			a.project, err = s.IDOrObject()
		case "result":
			a.Result, err = s.Raw()
		case "was_cancelled":
			a.Cancelled, err = s.Bool()
		case "ground_truth":
			a.GroundTruth, err = s.Bool()
		case "completed_by":
			if s.Kind() == jsonscan.String { // an e-mail address in some exports
				return s.Skip()
			}
			id, err = s.IDOrObject()
			a.CompletedBy = event.UserID(id)
		case "updated_at":
			a.UpdatedAt, err = s.Time()
		case "lead_time":
			timed, err = s.NotNull()
		case "parent_prediction":
			a.Suggested, err = s.NotNull()
		default:
			err = s.Skip()
		}
		return err
	})
	// Turning predictions into annotations in bulk names the prediction and has no
	// time spent on it; the editor always sends the time.
	a.Untimed = !timed
	a.FromModel = a.Suggested && a.Untimed
	return err
}

func (a *Annotation) setID(id int64) { a.ID = event.AnnotationID(id) }
