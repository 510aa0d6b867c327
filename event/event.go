package event

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Event is one entry of a log. The set is closed: Encode and Decode know every
// kind.
type Event interface {
	// Of is the project the event is about.
	Of() ProjectID
	// Topic is the log the event belongs to.
	Topic() Topic
	kind() string
}

// Kind is the name an event's type has in the log, for metrics and listings.
func Kind(e Event) string { return e.kind() }

// ForAll reports whether an event is about every project: an order, such as a retrain
// that is due, that names none. A change, and a change of settings, always names one.
func ForAll(e Event) bool {
	switch e.(type) {
	case *Changed, *Configured:
		return false
	}
	return e.Of() == 0
}

// Source says who noticed a change.
type Source string

const (
	// FromWebhook marks a change Label Studio told us.
	FromWebhook Source = "webhook"
	// FromReconcile marks a change found by comparing; each one is a webhook
	// that was lost, or a change that sends none.
	FromReconcile Source = "reconcile"
	// FromSetup marks what /setup or `hone connect` said of a project.
	FromSetup Source = "setup"
)

// Task is a Label Studio task, without its annotations.
type Task struct {
	ID TaskID `json:"id"`
	// Data is the task's data object, untouched.
	Data      json.RawMessage `json:"data"`
	UpdatedAt time.Time       `json:"updated_at,omitzero"`
}

// Annotation is what one person said of one task.
type Annotation struct {
	ID   AnnotationID `json:"id"`
	Task TaskID       `json:"task"`
	// Result is Label Studio's list of regions, untouched; null or [] when empty.
	Result json.RawMessage `json:"result"`
	// Cancelled is a skip: it teaches nothing, but the task was seen.
	Cancelled   bool   `json:"cancelled,omitempty"`
	GroundTruth bool   `json:"ground_truth,omitempty"`
	CompletedBy UserID `json:"completed_by,omitempty"`
	// FromModel is true when no person looked at it (a prediction turned into an
	// annotation in bulk). Such an annotation never becomes an example.
	FromModel bool      `json:"from_model,omitempty"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Changed says what Label Studio holds now about some tasks and annotations.
// It is a statement, not a command: hearing it twice, late or out of order must
// end in the same state. Among webhooks a later (UpdatedAt, content) wins, and a
// deletion wins over both. A reading wins over everything heard before it began.
type Changed struct {
	Project ProjectID `json:"project"`
	// CreatedAt is the project's creation time in unix seconds, 0 if unknown;
	// together with the id it names a project even after the Label Studio
	// database was replaced.
	CreatedAt int64  `json:"created_at,omitempty"`
	Source    Source `json:"source"`
	// At is when hone heard it.
	At time.Time `json:"at"`
	// Title and LabelConfig are empty when the source did not say.
	Title              string         `json:"title,omitempty"`
	LabelConfig        string         `json:"label_config,omitempty"`
	Tasks              []Task         `json:"tasks,omitempty"`
	Annotations        []Annotation   `json:"annotations,omitempty"`
	DeletedTasks       []TaskID       `json:"deleted_tasks,omitempty"`
	DeletedAnnotations []AnnotationID `json:"deleted_annotations,omitempty"`
	// Gone is true when Label Studio no longer has the project.
	Gone bool `json:"gone,omitempty"`
	// Reading is nil unless all of this was read from Label Studio. Then every task
	// in Tasks is whole: Annotations has all there are of it.
	Reading *Reading `json:"reading,omitempty"`
	// Position is the statement's own in the log of changes, set when it is taken
	// from there.
	Position uint64 `json:"-"`
}

// Reading says when Label Studio was read, by the order of the log and not by a
// clock.
type Reading struct {
	// From is the position of the last change heard before Label Studio was asked.
	From uint64 `json:"from"`
}

// ReconcileDue asks to compare a project with what Label Studio holds.
// Project 0 means every project.
type ReconcileDue struct {
	Project ProjectID `json:"project"`
	At      time.Time `json:"at"`
	// Full compares all ids and times, not only tasks changed since the last time.
	Full bool `json:"full,omitempty"`
	// Contents compares everything; Anew states everything again without comparing.
	Contents bool `json:"contents,omitempty"`
	Anew     bool `json:"anew,omitempty"`
	// Tasks asks to read these tasks, and nothing else unless Changed, Full, Contents
	// or Anew says so; Changed asks for what changed since the last time, which is also
	// what a request without any of these does.
	Tasks   []TaskID `json:"tasks,omitempty"`
	Changed bool     `json:"changed,omitempty"`
	Reason  string   `json:"reason"`
}

// RetrainDue asks the learner to choose settings and to rebuild from the labels
// alone, and to compare with the live model. Project 0 means every project.
type RetrainDue struct {
	Project ProjectID `json:"project"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
}

// RollbackDue asks the learner to make an earlier version live again.
type RollbackDue struct {
	Project ProjectID `json:"project"`
	At      time.Time `json:"at"`
	// To is the version's name; empty means the one before the live one.
	To string `json:"to,omitempty"`
}

// Configured says which settings of a project somebody has changed: Set by key, and Reset
// those that have their defaults again. A key is in one of the two. Of several that name
// a key the last one in the log counts. Keys and values are those of package settings,
// and what reads them passes over what it does not know.
type Configured struct {
	Project ProjectID         `json:"project"`
	At      time.Time         `json:"at"`
	Set     map[string]string `json:"set,omitempty"`
	Reset   []string          `json:"reset,omitempty"`
}

// Change returns settings after the change; the ones given are left alone.
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

// Then returns one change that does what both do, this one first.
func (e *Configured) Then(later *Configured) *Configured {
	out := &Configured{Project: later.Project, At: later.At, Set: later.Change(e.Set)}
	for _, key := range append(slices.Clone(e.Reset), later.Reset...) {
		if _, set := out.Set[key]; !set && !slices.Contains(out.Reset, key) {
			out.Reset = append(out.Reset, key)
		}
	}
	return out
}

// Learned says that a project has a new snapshot. It carries names, not
// contents: whoever follows it reads the tasks again from the state, so that
// hearing it twice is harmless.
type Learned struct {
	Project ProjectID `json:"project"`
	// Since is when the oldest change behind this snapshot was heard.
	Since time.Time `json:"since"`
	// Version is the live version's name.
	Version string `json:"version"`
	// Labels is how many annotations the snapshot stands on.
	Labels int `json:"labels"`
	// Tasks were added, changed, labelled or deleted.
	Tasks []TaskID `json:"tasks,omitempty"`
	// All means: read every task of the project again.
	All bool `json:"all,omitempty"`
	// Snapshot is the snapshot's number, which grows; 0 in what an older hone wrote.
	Snapshot uint64 `json:"snapshot,omitempty"`
}

func (e *Changed) Of() ProjectID      { return e.Project }
func (e *ReconcileDue) Of() ProjectID { return e.Project }
func (e *RetrainDue) Of() ProjectID   { return e.Project }
func (e *RollbackDue) Of() ProjectID  { return e.Project }
func (e *Configured) Of() ProjectID   { return e.Project }
func (e *Learned) Of() ProjectID      { return e.Project }

func (*Changed) Topic() Topic      { return Changes }
func (*ReconcileDue) Topic() Topic { return Reconciles }
func (*RetrainDue) Topic() Topic   { return Changes }
func (*RollbackDue) Topic() Topic  { return Changes }
func (*Configured) Topic() Topic   { return Changes }
func (*Learned) Topic() Topic      { return Snapshots }

func (*Changed) kind() string      { return "changed" }
func (*ReconcileDue) kind() string { return "reconcile_due" }
func (*RetrainDue) kind() string   { return "retrain_due" }
func (*RollbackDue) kind() string  { return "rollback_due" }
func (*Configured) kind() string   { return "configured" }
func (*Learned) kind() string      { return "learned" }
