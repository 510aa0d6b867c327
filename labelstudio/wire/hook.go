package wire

import (
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/jsonscan"
)

// Hook is what a webhook body says, in hone's nouns. Any of Changed, Train and
// NeedsReconcile may hold together; none holds when the action is Ignored.
type Hook struct {
	// Action as Label Studio spells it, such as ANNOTATION_CREATED.
	Action string
	// Project is 0 when the body does not say; then it is about every project.
	Project event.ProjectID
	// Changed is what changed, with the project's title and label config when the
	// body has them; nil when it says nothing.
	Changed *event.Changed
	// Train is true for START_TRAINING: somebody pressed the button.
	Train bool
	// NeedsReconcile is true when something changed that the body does not tell.
	NeedsReconcile bool
	// Reason says why, for ReconcileDue.Reason; empty otherwise.
	Reason string
	// Ignored is true for an action hone has no use for.
	Ignored bool
	// ModelVersion and Sampling are the project's, nil when the body has none.
	ModelVersion, Sampling *string
}

type hookKind byte

const (
	hookUnknown hookKind = iota
	hookAnnotations
	hookAnnotationsGone
	hookTasks
	hookTasksGone
	hookProject
	hookProjectGone
	hookTrain
)

// hookKinds has the actions of today's Label Studio and the spellings of older
// ones.
var hookKinds = map[string]hookKind{
	"ANNOTATION_CREATED": hookAnnotations, "ANNOTATIONS_CREATED": hookAnnotations,
	"ANNOTATION_UPDATED": hookAnnotations, "ANNOTATIONS_UPDATED": hookAnnotations,
	"ANNOTATION_DELETED": hookAnnotationsGone, "ANNOTATIONS_DELETED": hookAnnotationsGone,
	"TASK_CREATED": hookTasks, "TASKS_CREATED": hookTasks, "TASK_UPDATED": hookTasks, "TASKS_UPDATED": hookTasks,
	"TASK_DELETED": hookTasksGone, "TASKS_DELETED": hookTasksGone,
	"PROJECT_CREATED": hookProject, "PROJECT_UPDATED": hookProject, "PROJECT_DELETED": hookProjectGone,
	"START_TRAINING": hookTrain,
}

// hookBody is the union of all bodies. Label Studio puts lists under singular
// keys, so each key may hold one or many.
type hookBody struct {
	action      string
	project     projectRef
	annotations []Annotation
	tasks       []Task
}

func (b *hookBody) read(s *jsonscan.Scanner, key []byte) (err error) {
	switch string(key) {
	case "action":
		b.action, err = s.Text()
	case "project":
		err = b.project.read(s)
	case "annotation", "annotations":
		b.annotations, err = readMany(s, b.annotations)
	case "task", "tasks":
		b.tasks, err = readMany(s, b.tasks)
	default:
		err = s.Skip()
	}
	return err
}

// readMany appends null, an object, an id, or a list of those.
func readMany[T any, P interface {
	*T
	read(s *jsonscan.Scanner) error
	setID(id int64)
}](s *jsonscan.Scanner, to []T) ([]T, error) {
	one := func(int) (err error) {
		var item T
		if s.Kind() == jsonscan.Number {
			var id int64
			id, err = s.Int()
			P(&item).setID(id)
		} else {
			err = P(&item).read(s)
		}
		to = append(to, item)
		return err
	}
	switch s.Kind() {
	case jsonscan.Null:
		return to, s.Skip()
	case jsonscan.Array:
		err := s.Array(one)
		return to, err
	}
	err := one(0)
	return to, err
}

// ReadAnnotations appends null, an annotation, an id, or a list of those.
func ReadAnnotations(s *jsonscan.Scanner, to []Annotation) ([]Annotation, error) {
	return readMany(s, to)
}

// DecodeHook reads a webhook body, received at the time given. Errors are of
// type *BodyError. An action it does not know is no error.
func DecodeHook(body []byte, at time.Time) (Hook, error) {
	var b hookBody
	if err := jsonscan.Document(body, b.read); err != nil {
		// The fields of an action hone does not know may hold anything.
		if action, ok := actionOf(body); ok && hookKinds[action] == hookUnknown {
			return Hook{Action: action, Ignored: true}, nil
		}
		return Hook{}, err
	}
	if b.action == "" {
		return Hook{}, &BodyError{Field: "action", Fault: "is missing; Label Studio's webhooks all have one"}
	}
	p := &b.project
	h := Hook{Action: b.action, Project: p.ID, ModelVersion: p.ModelVersion, Sampling: p.Sampling}
	kind := hookKinds[h.Action]
	if kind == hookUnknown {
		h.Ignored = true
		return h, nil
	}
	if kind == hookTrain {
		h.Train = true
	}
	if !p.Known && len(b.annotations) == 0 && len(b.tasks) == 0 {
		if kind != hookTrain {
			h.NeedsReconcile, h.Reason = true, h.Action+" came without a payload"
		}
		return h, nil
	}
	c := &event.Changed{
		Project: p.ID, CreatedAt: p.CreatedAt, Source: event.FromWebhook, At: at,
		Title: p.Title, LabelConfig: p.LabelConfig,
	}
	var err error
	switch kind {
	case hookAnnotations:
		err = addAnnotations(c, b.annotations, b.tasks)
	case hookAnnotationsGone:
		c.DeletedAnnotations, err = ids("annotations", b.annotations, func(a *Annotation) event.AnnotationID { return a.ID })
	case hookTasks:
		err = h.addTasks(c, b.tasks)
	case hookTasksGone:
		c.DeletedTasks, err = ids("tasks", b.tasks, func(t *Task) event.TaskID { return event.TaskID(t.ID) })
	case hookProjectGone:
		c.Gone = true
	}
	if err != nil {
		return Hook{}, err
	}
	if c.Project, err = projectOf(p.ID, &b); err != nil {
		return Hook{}, err
	}
	h.Project, h.Changed = c.Project, c
	return h, nil
}

func addAnnotations(c *event.Changed, annotations []Annotation, tasks []Task) error {
	if len(annotations) == 0 {
		return &BodyError{Field: "annotation", Fault: "is missing"}
	}
	for i, a := range annotations {
		field := fmt.Sprintf("annotation[%d]", i)
		if a.ID <= 0 {
			return &BodyError{Field: field + ".id", Fault: "is missing or not a positive number"}
		}
		// The lists of annotations and tasks run in parallel.
		if a.Task == 0 && i < len(tasks) {
			a.Task = event.TaskID(tasks[i].ID)
		}
		if a.Task <= 0 {
			return &BodyError{Field: field + ".task", Fault: "is missing, so it is unknown what was labelled"}
		}
		if k := jsonscan.KindOf(a.Result); k != jsonscan.Array && k != jsonscan.Null && k != jsonscan.None {
			return &BodyError{Field: field + ".result", Fault: "is not a list of regions"}
		}
		c.Annotations = append(c.Annotations, a.Annotation)
	}
	seen := make(map[int64]bool, len(tasks))
	for i, t := range tasks {
		// One task appears once for each of its annotations.
		if seen[t.ID] || t.Data == nil {
			continue
		}
		seen[t.ID] = true
		if err := addTask(c, t, fmt.Sprintf("task[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hook) addTasks(c *event.Changed, tasks []Task) error {
	if len(tasks) == 0 {
		return &BodyError{Field: "tasks", Fault: "is missing or empty"}
	}
	for i, t := range tasks {
		if err := addTask(c, t, fmt.Sprintf("tasks[%d]", i)); err != nil {
			return err
		}
		if t.Annotations > 0 {
			h.NeedsReconcile, h.Reason = true, "tasks came in with annotations, which Label Studio does not tell"
		}
	}
	return nil
}

func addTask(c *event.Changed, t Task, field string) error {
	if t.ID <= 0 {
		return &BodyError{Field: field + ".id", Fault: "is missing or not a positive number"}
	}
	if jsonscan.KindOf(t.Data) != jsonscan.Object {
		return &BodyError{Field: field + ".data", Fault: "is not an object"}
	}
	c.Tasks = append(c.Tasks, t.Event())
	return nil
}

func ids[ID ~int64, T any](field string, items []T, id func(*T) ID) ([]ID, error) {
	if len(items) == 0 {
		return nil, &BodyError{Field: field, Fault: "is missing or empty"}
	}
	out := make([]ID, len(items))
	for i := range items {
		if out[i] = id(&items[i]); out[i] <= 0 {
			return nil, &BodyError{Field: fmt.Sprintf("%s[%d].id", field, i), Fault: "is missing or not a positive number"}
		}
	}
	return out, nil
}

// projectOf takes the project from what belongs to it when the body does not
// name it, and refuses a body that mixes projects.
func projectOf(p event.ProjectID, b *hookBody) (event.ProjectID, error) {
	take := func(id int64) bool {
		if id > 0 && p == 0 {
			p = event.ProjectID(id)
		}
		return id <= 0 || p == event.ProjectID(id)
	}
	for i := range b.annotations {
		if !take(b.annotations[i].project) {
			return 0, &BodyError{Field: "annotation.project", Fault: "differs from the project of the rest"}
		}
	}
	for i := range b.tasks {
		if !take(b.tasks[i].Project) {
			return 0, &BodyError{Field: "task.project", Fault: "differs from the project of the rest"}
		}
	}
	if p == 0 {
		return 0, &BodyError{Field: "project", Fault: "is missing, and nothing else in the body names it"}
	}
	return p, nil
}

// actionOf is the action of a body whose other fields may hold anything.
func actionOf(body []byte) (action string, ok bool) {
	err := jsonscan.Document(body, func(s *jsonscan.Scanner, key []byte) (err error) {
		if string(key) != "action" {
			return s.Skip()
		}
		action, err = s.Text()
		return err
	})
	return action, err == nil && action != ""
}
