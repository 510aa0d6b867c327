package labelstudio

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
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
// keys, so every key may hold one or many.
type hookBody struct {
	Action      *string                   `json:"action"`
	Project     projectRef                `json:"project"`
	Annotation  oneOrMany[wireAnnotation] `json:"annotation"`
	Annotations oneOrMany[wireAnnotation] `json:"annotations"`
	Task        oneOrMany[wireTask]       `json:"task"`
	Tasks       oneOrMany[wireTask]       `json:"tasks"`
}

// oneOrMany reads null, an object, an id, or a list of those.
type oneOrMany[T any] []T

func (l *oneOrMany[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	switch kindOf(b) {
	case kindNull:
		return nil
	case kindArray:
		var items []idOr[T]
		if err := json.Unmarshal(b, &items); err != nil {
			return err
		}
		*l = make([]T, len(items))
		for i := range items {
			(*l)[i] = items[i].v
		}
		return nil
	}
	var item idOr[T]
	if err := json.Unmarshal(b, &item); err != nil {
		return err
	}
	*l = []T{item.v}
	return nil
}

// idOr reads an object, or a bare id as the object with only that id.
type idOr[T any] struct{ v T }

func (o *idOr[T]) UnmarshalJSON(b []byte) error {
	switch kindOf(b) {
	case kindObject:
		return json.Unmarshal(b, &o.v)
	case kindNumber:
		return json.Unmarshal(append(append([]byte(`{"id":`), b...), '}'), &o.v)
	}
	return &BodyError{Fault: "is neither an object nor an id"}
}

// DecodeHook reads a webhook body, received at the time given. Errors are of
// type *BodyError. An action it does not know is no error.
func DecodeHook(body []byte, at time.Time) (Hook, error) {
	var b hookBody
	if err := decodeBody(body, &b); err != nil {
		return Hook{}, err
	}
	if b.Action == nil || *b.Action == "" {
		return Hook{}, &BodyError{Field: "action", Fault: "is missing; Label Studio's webhooks all have one"}
	}
	h := Hook{
		Action: *b.Action, Project: b.Project.ID,
		ModelVersion: b.Project.Row.ModelVersion, Sampling: b.Project.Row.Sampling,
	}
	kind := hookKinds[h.Action]
	if kind == hookUnknown {
		h.Ignored = true
		return h, nil
	}
	if kind == hookTrain {
		h.Train = true
	}
	annotations := append(b.Annotation, b.Annotations...)
	tasks := append(b.Task, b.Tasks...)
	if !b.Project.Known && len(annotations) == 0 && len(tasks) == 0 {
		if kind != hookTrain {
			h.NeedsReconcile, h.Reason = true, h.Action+" came without a payload"
		}
		return h, nil
	}
	c := &event.Changed{
		Project: h.Project, CreatedAt: b.Project.CreatedAt, Source: event.FromWebhook, At: at,
		Title: b.Project.Row.Title, LabelConfig: b.Project.Row.LabelConfig,
		ConfigAt: time.Time(b.Project.Row.UpdatedAt),
	}
	var err error
	switch kind {
	case hookAnnotations:
		err = h.addAnnotations(c, annotations, tasks)
	case hookAnnotationsGone:
		c.DeletedAnnotations, err = ids[event.AnnotationID]("annotations", annotations, func(a wireAnnotation) int64 { return a.ID })
	case hookTasks:
		err = h.addTasks(c, tasks)
	case hookTasksGone:
		c.DeletedTasks, err = ids[event.TaskID]("tasks", tasks, func(t wireTask) int64 { return t.ID })
	case hookProjectGone:
		c.Gone = true
	}
	if err != nil {
		return Hook{}, err
	}
	if c.Project, err = projectOf(h.Project, annotations, tasks); err != nil {
		return Hook{}, err
	}
	h.Project, h.Changed = c.Project, c
	return h, nil
}

func (h *Hook) addAnnotations(c *event.Changed, annotations []wireAnnotation, tasks []wireTask) error {
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
			a.Task = ref(tasks[i].ID)
		}
		if a.Task <= 0 {
			return &BodyError{Field: field + ".task", Fault: "is missing, so it is unknown what was labelled"}
		}
		if k := kindOf(a.Result); k != kindArray && k != kindNull && k != kindNone {
			return &BodyError{Field: field + ".result", Fault: "is not a list of regions"}
		}
		c.Annotations = append(c.Annotations, a.annotation())
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

func (h *Hook) addTasks(c *event.Changed, tasks []wireTask) error {
	if len(tasks) == 0 {
		return &BodyError{Field: "tasks", Fault: "is missing or empty"}
	}
	for i, t := range tasks {
		if err := addTask(c, t, fmt.Sprintf("tasks[%d]", i)); err != nil {
			return err
		}
		if t.TotalAnnotations > 0 || t.Cancelled > 0 {
			h.NeedsReconcile, h.Reason = true, "tasks came in with annotations, which Label Studio does not tell"
		}
	}
	return nil
}

func addTask(c *event.Changed, t wireTask, field string) error {
	if t.ID <= 0 {
		return &BodyError{Field: field + ".id", Fault: "is missing or not a positive number"}
	}
	if kindOf(t.Data) != kindObject {
		return &BodyError{Field: field + ".data", Fault: "is not an object"}
	}
	c.Tasks = append(c.Tasks, t.task())
	return nil
}

func ids[ID ~int64, T any](field string, items []T, id func(T) int64) ([]ID, error) {
	if len(items) == 0 {
		return nil, &BodyError{Field: field, Fault: "is missing or empty"}
	}
	out := make([]ID, len(items))
	for i, item := range items {
		if id(item) <= 0 {
			return nil, &BodyError{Field: fmt.Sprintf("%s[%d].id", field, i), Fault: "is missing or not a positive number"}
		}
		out[i] = ID(id(item))
	}
	return out, nil
}

// projectOf takes the project from what belongs to it when the body does not
// name it, and refuses a body that mixes projects.
func projectOf(p event.ProjectID, annotations []wireAnnotation, tasks []wireTask) (event.ProjectID, error) {
	take := func(r ref) bool {
		if r > 0 && p == 0 {
			p = event.ProjectID(r)
		}
		return r <= 0 || p == event.ProjectID(r)
	}
	for _, a := range annotations {
		if !take(a.Project) {
			return 0, &BodyError{Field: "annotation.project", Fault: "differs from the project of the rest"}
		}
	}
	for _, t := range tasks {
		if !take(t.Project) {
			return 0, &BodyError{Field: "task.project", Fault: "differs from the project of the rest"}
		}
	}
	if p == 0 {
		return 0, &BodyError{Field: "project", Fault: "is missing, and nothing else in the body names it"}
	}
	return p, nil
}
