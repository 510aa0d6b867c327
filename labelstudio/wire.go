package labelstudio

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/hone-ml/hone/event"
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

func (p *projectRef) read(s *scanner) error {
	*p = projectRef{}
	switch s.kind() {
	case kindNull:
		return s.skip()
	case kindObject:
		if err := p.readRow(s); err != nil {
			return err
		}
	case kindNumber, kindString:
		from := s.i
		if err := s.skip(); err != nil {
			return err
		}
		var ok bool
		if p.ID, p.CreatedAt, ok = parseProjectUID(strings.Trim(string(s.b[from:s.i]), `"`)); !ok {
			return &BodyError{Fault: `is neither an id nor "<id>.<unix seconds>"`}
		}
	default:
		return s.want("an id or an object")
	}
	if p.ID <= 0 {
		return &BodyError{Field: "id", Fault: "is missing or not a positive number"}
	}
	p.Known = true
	return nil
}

func (p *projectRef) readRow(s *scanner) error {
	return s.object(func(key []byte) (err error) {
		switch string(key) {
		case "id":
			var id int64
			id, err = s.integer()
			p.ID = event.ProjectID(id)
		case "title":
			p.Title, err = s.str()
		case "label_config":
			p.LabelConfig, err = s.str()
		case "created_at":
			var t time.Time
			if t, err = s.time(); !t.IsZero() {
				p.CreatedAt = t.Unix()
			}
		case "model_version":
			p.ModelVersion, err = s.optional()
		case "sampling":
			p.Sampling, err = s.optional()
		default:
			err = s.skip()
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

// wireTask are the fields hone reads of a task.
type wireTask struct {
	ID          int64
	Data        json.RawMessage
	UpdatedAt   time.Time
	Project     int64
	Annotations int64 // skipped ones among them
}

func (t *wireTask) read(s *scanner) error {
	if s.kind() != kindObject {
		return s.want("an object")
	}
	return s.object(func(key []byte) error { return t.field(s, key) })
}

func (t *wireTask) field(s *scanner, key []byte) (err error) {
	var n int64
	switch string(key) {
	case "id":
		t.ID, err = s.integer()
	case "data":
		t.Data, err = s.raw()
	case "updated_at":
		t.UpdatedAt, err = s.time()
	case "project":
		t.Project, err = s.ref()
	case "total_annotations", "cancelled_annotations":
		n, err = s.integer()
		t.Annotations += n
	default:
		err = s.skip()
	}
	return err
}

func (t *wireTask) setID(id int64) { t.ID = id }

func (t *wireTask) task() event.Task {
	return event.Task{ID: event.TaskID(t.ID), Data: t.Data, UpdatedAt: t.UpdatedAt}
}

// wireAnnotation are the fields hone reads of an annotation.
type wireAnnotation struct {
	event.Annotation
	project                   int64
	timed, fromSomePrediction bool
}

// UnmarshalJSON reads the fields hone needs.
func (a *wireAnnotation) UnmarshalJSON(b []byte) error {
	*a = wireAnnotation{}
	return unmarshal(b, a.read)
}

func (a *wireAnnotation) read(s *scanner) error {
	if s.kind() != kindObject {
		return s.want("an object")
	}
	err := s.object(func(key []byte) (err error) {
		var id int64
		switch string(key) {
		case "id":
			id, err = s.integer()
			a.ID = event.AnnotationID(id)
		case "task":
			id, err = s.ref()
			a.Task = event.TaskID(id)
		case "project":
			a.project, err = s.ref()
		case "result":
			a.Result, err = s.raw()
		case "was_cancelled":
			a.Cancelled, err = s.flag()
		case "ground_truth":
			a.GroundTruth, err = s.flag()
		case "completed_by":
			if s.kind() == kindString { // an e-mail address in some exports
				return s.skip()
			}
			id, err = s.ref()
			a.CompletedBy = event.UserID(id)
		case "updated_at":
			a.UpdatedAt, err = s.time()
		case "lead_time":
			a.timed, err = s.given()
		case "parent_prediction":
			a.fromSomePrediction, err = s.given()
		default:
			err = s.skip()
		}
		return err
	})
	// Turning predictions into annotations in bulk names the prediction and has no
	// time spent on it; the editor always sends the time.
	a.FromModel = a.fromSomePrediction && !a.timed
	return err
}

func (a *wireAnnotation) setID(id int64) { a.ID = event.AnnotationID(id) }
