package labelstudio

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hone-ml/hone/event"
)

// BodyError says what is wrong with a request body, without quoting it: bodies
// carry passwords and tokens.
type BodyError struct {
	// Field is the path of the field, such as "annotation.id"; empty when the
	// fault is the body's.
	Field string
	// Fault is the rest of a sentence that starts with the field.
	Fault string
}

func (e *BodyError) Error() string {
	if e.Field == "" {
		return "the body " + e.Fault
	}
	return "the body's field " + e.Field + " " + e.Fault
}

// Secret is a token that formatting and encoding do not give away.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON reads a text; anything else is no secret.
func (s *Secret) UnmarshalJSON(b []byte) error {
	*s = ""
	if kindOf(b) == kindString {
		return json.Unmarshal(b, (*string)(s))
	}
	return nil
}

// decodeBody unmarshals a request body and words the faults.
func decodeBody(body []byte, into any) error {
	switch kindOf(body) {
	case kindObject:
	case kindNone:
		if len(strings.TrimSpace(string(body[:min(len(body), 64)]))) == 0 {
			return &BodyError{Fault: "is empty; a JSON object is expected"}
		}
		return &BodyError{Fault: "is not JSON"}
	default:
		return &BodyError{Fault: "is not a JSON object"}
	}
	err := json.Unmarshal(body, into)
	if err == nil {
		return nil
	}
	var own *BodyError
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &typ):
		found, _, _ := strings.Cut(typ.Value, " ")
		return &BodyError{Field: typ.Field, Fault: fmt.Sprintf("is a JSON %s where %s is expected", found, plainType(typ.Type.Kind().String()))}
	case errors.As(err, &syntax):
		return &BodyError{Fault: fmt.Sprintf("is not JSON: byte %d: %s", syntax.Offset, syntax.Error())}
	}
	return &BodyError{Fault: "is not readable: " + err.Error()}
}

func plainType(kind string) string {
	switch kind {
	case "struct", "map":
		return "an object"
	case "slice":
		return "a list"
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	}
	return "a whole number"
}

// projectRef is a project as Label Studio names it: an id, "<id>.<unix seconds>",
// or the project's whole row.
type projectRef struct {
	ID        event.ProjectID
	CreatedAt int64
	Known     bool // false when the field was absent or null
	Row       projectRow
}

// projectRow are the columns hone reads. The row has others, secrets among them,
// that are never decoded.
type projectRow struct {
	ID           int64    `json:"id"`
	Title        string   `json:"title"`
	LabelConfig  string   `json:"label_config"`
	CreatedAt    wireTime `json:"created_at"`
	UpdatedAt    wireTime `json:"updated_at"`
	ModelVersion *string  `json:"model_version"`
	Sampling     *string  `json:"sampling"`
}

func (p *projectRef) UnmarshalJSON(b []byte) error {
	*p = projectRef{}
	switch kindOf(b) {
	case kindNull:
		return nil
	case kindObject:
		if err := json.Unmarshal(b, &p.Row); err != nil {
			return inField("project", err)
		}
		p.ID = event.ProjectID(p.Row.ID)
		if t := time.Time(p.Row.CreatedAt); !t.IsZero() {
			p.CreatedAt = t.Unix()
		}
	case kindNumber, kindString:
		id, created, ok := parseProjectUID(strings.Trim(string(b), `"`))
		if !ok {
			return &BodyError{Field: "project", Fault: `is neither an id nor "<id>.<unix seconds>"`}
		}
		p.ID, p.CreatedAt = id, created
	default:
		return &BodyError{Field: "project", Fault: "is neither an id nor an object"}
	}
	if p.ID <= 0 {
		return &BodyError{Field: "project.id", Fault: "is missing or not a positive number"}
	}
	p.Known = true
	return nil
}

// parseProjectUID reads "3" and "3.1795467032". The id is not a decimal number:
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

// inField puts a decoding fault of a nested value under its field.
func inField(field string, err error) error {
	var own *BodyError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &own):
		e := *own
		e.Field = strings.TrimSuffix(field+"."+e.Field, ".")
		return &e
	case errors.As(err, &typ):
		e := *typ
		e.Field = strings.TrimSuffix(field+"."+e.Field, ".")
		return &e
	}
	return err
}

// wireTime is a time as Label Studio or a database near it writes it: with or
// without fractions, zone, or the T. Without a zone it is UTC. Anything that is
// no time is zero: what it orders has other means to be ordered.
type wireTime time.Time

func (t *wireTime) UnmarshalJSON(b []byte) error {
	*t = wireTime{}
	if kindOf(b) != kindString {
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
		if v, err := time.Parse(layout, s); err == nil {
			*t = wireTime(v.UTC())
			return nil
		}
	}
	return nil
}

// ref is an id, or an object with an id; zero for null.
type ref int64

func (r *ref) UnmarshalJSON(b []byte) error {
	*r = 0
	switch kindOf(b) {
	case kindNull:
		return nil
	case kindNumber:
		return json.Unmarshal(b, (*int64)(r))
	case kindObject:
		var o struct {
			ID int64 `json:"id"`
		}
		if err := json.Unmarshal(b, &o); err != nil {
			return err
		}
		*r = ref(o.ID)
		return nil
	}
	return &BodyError{Fault: "is neither an id nor an object with an id"}
}

// given is true for any value but null.
type given bool

func (g *given) UnmarshalJSON(b []byte) error {
	*g = kindOf(b) != kindNull
	return nil
}

// wireTask are the fields hone reads of a task.
type wireTask struct {
	ID               int64           `json:"id"`
	Data             json.RawMessage `json:"data"`
	UpdatedAt        wireTime        `json:"updated_at"`
	Project          ref             `json:"project"`
	TotalAnnotations int64           `json:"total_annotations"`
	Cancelled        int64           `json:"cancelled_annotations"`
}

func (t wireTask) task() event.Task {
	return event.Task{ID: event.TaskID(t.ID), Data: t.Data, UpdatedAt: time.Time(t.UpdatedAt)}
}

// wireAnnotation are the fields hone reads of an annotation.
type wireAnnotation struct {
	ID               int64           `json:"id"`
	Task             ref             `json:"task"`
	Project          ref             `json:"project"`
	Result           json.RawMessage `json:"result"`
	Cancelled        bool            `json:"was_cancelled"`
	GroundTruth      bool            `json:"ground_truth"`
	CompletedBy      ref             `json:"completed_by"`
	UpdatedAt        wireTime        `json:"updated_at"`
	LeadTime         given           `json:"lead_time"`
	ParentPrediction given           `json:"parent_prediction"`
}

func (a wireAnnotation) annotation() event.Annotation {
	return event.Annotation{
		ID: event.AnnotationID(a.ID), Task: event.TaskID(a.Task), Result: a.Result,
		Cancelled: a.Cancelled, GroundTruth: a.GroundTruth, CompletedBy: event.UserID(a.CompletedBy),
		// Turning predictions into annotations in bulk names the prediction and has
		// no time spent on it; the editor always sends the time.
		FromModel: bool(a.ParentPrediction) && !bool(a.LeadTime),
		UpdatedAt: time.Time(a.UpdatedAt),
	}
}
