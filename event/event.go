package event

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Event is one entry of a log. The set of types is closed: Encode and Decode know all of them.
type Event interface {
	// ProjectOf returns the project that the event is about, 0 for all projects.
	ProjectOf() ProjectID
	// Topic returns the log that the event belongs to.
	Topic() Topic
	kind() string
}

// Kind returns the name of an event's type in the log, for metrics and listings.
func Kind(e Event) string { return e.kind() }

// ForAll reports whether an event is a command for every project, such as a retrain that is due
// and names no project. A change, also one of settings, always names one.
func ForAll(e Event) bool {
	switch e.(type) {
	case *Changed, *Configured, *Forgotten:
		return false
	}
	return e.ProjectOf() == 0
}

// Source says how hone learned of a change.
type Source string

const (
	// FromWebhook marks a change that a webhook reported.
	FromWebhook Source = "webhook"
	// FromReconcile marks a change that a comparison found: its webhook was lost, or Label
	// Studio sends none.
	FromReconcile Source = "reconcile"
	// FromPoll marks what was read of a project that hone polls: nobody was to tell it.
	FromPoll Source = "poll"
	// FromSetup marks what /setup or `hone connect` stated about a project.
	FromSetup Source = "setup"
)

// Task is a Label Studio task, without its annotations.
type Task struct {
	ID TaskID `json:"id"`
	// Data is the task's data object, unchanged.
	Data      json.RawMessage `json:"data"`
	UpdatedAt time.Time       `json:"updated_at,omitzero"`
}

// Annotation is one annotator's answer to one task.
type Annotation struct {
	ID   AnnotationID `json:"id"`
	Task TaskID       `json:"task"`
	// Result is Label Studio's list of regions, unchanged; null or [] when empty.
	Result json.RawMessage `json:"result"`
	// Cancelled marks a skip: the annotator saw the task and gave no answer.
	Cancelled   bool   `json:"cancelled,omitempty"`
	GroundTruth bool   `json:"ground_truth,omitempty"`
	CompletedBy UserID `json:"completed_by,omitempty"`
	// FromModel is true when the statement says that no person checked it: predictions were
	// turned into annotations in bulk. See Unattended.
	FromModel bool      `json:"from_model,omitempty"`
	UpdatedAt time.Time `json:"updated_at"`
	// Suggested is true when it was made from a prediction. Label Studio forgets that when
	// the prediction is deleted; what is stored does not.
	Suggested bool `json:"suggested,omitempty"`
	// Untimed is true when nobody spent time on it, as the statement says. Statements of
	// older hones do not say.
	Untimed bool `json:"untimed,omitempty"`
}

// Unattended reports whether no person checked the annotation. Such an annotation never
// becomes an example.
func (a Annotation) Unattended() bool { return a.FromModel || a.Suggested && a.Untimed }

// Changed states what Label Studio holds of some tasks and annotations. Applying it twice, late or
// out of order ends in the same state. Among webhooks the later (UpdatedAt, content) wins, and
// a deletion wins over both. A reading wins over everything that was heard before it began.
type Changed struct {
	Project ProjectID `json:"project"`
	// CreatedAt is the project's creation time in unix seconds, 0 if unknown;
	// together with the id it names a project even after the Label Studio
	// database was replaced.
	CreatedAt int64  `json:"created_at,omitempty"`
	Source    Source `json:"source"`
	// At is when hone received it.
	At time.Time `json:"at"`
	// Title and LabelConfig are empty when the source does not state them.
	Title              string         `json:"title,omitempty"`
	LabelConfig        string         `json:"label_config,omitempty"`
	Tasks              []Task         `json:"tasks,omitempty"`
	Annotations        []Annotation   `json:"annotations,omitempty"`
	DeletedTasks       []TaskID       `json:"deleted_tasks,omitempty"`
	DeletedAnnotations []AnnotationID `json:"deleted_annotations,omitempty"`
	// Gone is true when Label Studio no longer has the project.
	Gone bool `json:"gone,omitempty"`
	// Reading is not nil when all of this was read from Label Studio. Annotations then has
	// all annotations of each task in Tasks.
	Reading *Reading `json:"reading,omitempty"`
	// Position is the offset of this event in the log of changes. It is set when the event is
	// read from there.
	Position uint64 `json:"-"`
}

// Reading says when Label Studio was read, by the order of the log and not by a clock.
type Reading struct {
	// From is the offset of the last change that was in the log before the reading began.
	From uint64 `json:"from"`
}

// ReconcileDue asks to compare a project with what Label Studio holds.
// Project 0 means every project.
type ReconcileDue struct {
	Project ProjectID `json:"project"`
	At      time.Time `json:"at"`
	// Full compares all ids and times, not only tasks that changed since the last request.
	Full bool `json:"full,omitempty"`
	// Contents compares everything. Anew states everything again without comparing.
	Contents bool `json:"contents,omitempty"`
	Anew     bool `json:"anew,omitempty"`
	// Tasks asks to read these tasks, and nothing else unless Changed, Full, Contents or Anew
	// is set. Changed asks for what changed since the last request. A request with none of
	// these does the same.
	Tasks   []TaskID `json:"tasks,omitempty"`
	Changed bool     `json:"changed,omitempty"`
	Reason  string   `json:"reason"`
}

// RetrainDue asks the learner to choose settings, to build models from the labels alone, and to
// compare them with the live ones. Project 0 means every project.
type RetrainDue struct {
	Project ProjectID `json:"project"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
}

// RollbackDue asks the learner to make an earlier version live again. Project 0 means every
// project.
type RollbackDue struct {
	Project ProjectID `json:"project"`
	At      time.Time `json:"at"`
	// To is the version's name; empty means the version before the live one.
	To string `json:"to,omitempty"`
}

// Configured says which settings of a project a person has changed: Set holds values by key,
// and Reset the keys that have their defaults again. A key is in one of the two. Of several
// that name a key the last one in the log holds. Keys and values are those of package
// settings; a reader ignores keys that it does not know.
type Configured struct {
	Project ProjectID         `json:"project"`
	At      time.Time         `json:"at"`
	Set     map[string]string `json:"set,omitempty"`
	Reset   []string          `json:"reset,omitempty"`
}

// Change returns settings after the change, in a map of its own.
func (e *Configured) Change(settings map[string]string) map[string]string {
	out := maps.Clone(settings)
	if out == nil {
		out = map[string]string{}
	}
	for _, key := range e.Reset {
		delete(out, key)
	}
	maps.Copy(out, e.Set)
	return out
}

// Then returns one change with the effect of both, this one first.
func (e *Configured) Then(later *Configured) *Configured {
	out := &Configured{Project: later.Project, At: later.At, Set: later.Change(e.Set)}
	for _, key := range append(slices.Clone(e.Reset), later.Reset...) {
		if _, set := out.Set[key]; !set && !slices.Contains(out.Reset, key) {
			out.Reset = append(out.Reset, key)
		}
	}
	return out
}

// Forgotten asks to delete everything that is stored of a project, as of its place in the
// log: what is stated later begins a project anew.
type Forgotten struct {
	Project ProjectID `json:"project"`
	At      time.Time `json:"at"`
}

// Learned says that a project has a new snapshot. It has ids and no contents: its consumer reads
// the tasks from the state, so that handling it twice is harmless.
type Learned struct {
	Project ProjectID `json:"project"`
	// Since is when the oldest change in this snapshot was received.
	Since time.Time `json:"since"`
	// Version is the live version's name.
	Version string `json:"version"`
	// Labels is the number of annotations in the snapshot.
	Labels int `json:"labels"`
	// Tasks holds the tasks that were added, changed, labelled or deleted.
	Tasks []TaskID `json:"tasks,omitempty"`
	// All asks to read every task of the project again.
	All bool `json:"all,omitempty"`
	// Snapshot is the number of the snapshot, which grows; 0 from an older hone.
	Snapshot uint64 `json:"snapshot,omitempty"`
}

func (e *Changed) ProjectOf() ProjectID      { return e.Project }
func (e *ReconcileDue) ProjectOf() ProjectID { return e.Project }
func (e *RetrainDue) ProjectOf() ProjectID   { return e.Project }
func (e *RollbackDue) ProjectOf() ProjectID  { return e.Project }
func (e *Configured) ProjectOf() ProjectID   { return e.Project }
func (e *Forgotten) ProjectOf() ProjectID    { return e.Project }
func (e *Learned) ProjectOf() ProjectID      { return e.Project }

func (*Changed) Topic() Topic      { return Changes }
func (*ReconcileDue) Topic() Topic { return Reconciles }
func (*RetrainDue) Topic() Topic   { return Changes }
func (*RollbackDue) Topic() Topic  { return Changes }
func (*Configured) Topic() Topic   { return Changes }
func (*Forgotten) Topic() Topic    { return Changes }
func (*Learned) Topic() Topic      { return Snapshots }

func (*Changed) kind() string      { return "changed" }
func (*ReconcileDue) kind() string { return "reconcile_due" }
func (*RetrainDue) kind() string   { return "retrain_due" }
func (*RollbackDue) kind() string  { return "rollback_due" }
func (*Configured) kind() string   { return "configured" }
func (*Forgotten) kind() string    { return "forgotten" }
func (*Learned) kind() string      { return "learned" }
