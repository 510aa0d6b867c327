package event

import (
	"iter"
	"time"
)

// TaskState is one task as hone holds it: the task and every annotation on it
// that is neither deleted nor superseded, ordered by id.
type TaskState struct {
	Task        Task         `json:"task"`
	Annotations []Annotation `json:"annotations,omitempty"`
	// Deleted is true in a Delta when the task is gone; the rest is then empty
	// but for Task.ID.
	Deleted bool `json:"deleted,omitempty"`
}

// Labelled reports whether a person has annotated the task (a skip is not one).
func (t TaskState) Labelled() bool {
	for _, a := range t.Annotations {
		if !a.Cancelled {
			return true
		}
	}
	return false
}

// Skipped reports whether somebody skipped the task.
func (t TaskState) Skipped() bool {
	for _, a := range t.Annotations {
		if a.Cancelled {
			return true
		}
	}
	return false
}

// Meta is what is kept about a project beside its tasks.
type Meta struct {
	Project     ProjectID `json:"project"`
	CreatedAt   int64     `json:"created_at,omitempty"`
	Title       string    `json:"title,omitempty"`
	LabelConfig string    `json:"label_config,omitempty"`
	// Gone is true once Label Studio no longer has the project.
	Gone bool `json:"gone,omitempty"`
	// TitleAt and LabelConfigAt are when the statements that gave Title and
	// LabelConfig were heard: the later one wins, whatever the order of arrival.
	TitleAt       time.Time `json:"title_at,omitzero"`
	LabelConfigAt time.Time `json:"label_config_at,omitzero"`
	// LastEvent is when hone last heard of the project.
	LastEvent time.Time `json:"last_event,omitzero"`
	// The positions in the log of changes at which each of these was heard, for a
	// reading to compare itself with.
	TitleHeard       uint64 `json:"title_heard,omitempty"`
	LabelConfigHeard uint64 `json:"label_config_heard,omitempty"`
	GoneHeard        uint64 `json:"gone_heard,omitempty"`
	// Missed counts the changes only a reconcile found.
	Missed uint64 `json:"missed,omitempty"`
}

// Delta is what a batch of events really changes in one project, after
// duplicates and superseded statements are taken out. Applying it twice is
// harmless: it states, it does not add.
type Delta struct {
	// Meta is the project's record after the batch.
	Meta Meta
	// ConfigChanged is true when the label config differs from the stored one.
	ConfigChanged bool
	// New is true when the project was not known before, or when its Label
	// Studio database was replaced (the same id with another CreatedAt). In both
	// cases Tasks is all there is, and whatever was learned under this id before
	// is void.
	New bool
	// Tasks are the touched tasks, whole, as they are after the batch, by id.
	Tasks []TaskState
	// Annotations counts annotations that were new, changed or deleted.
	Annotations int
	// Duplicates counts the Changed that said nothing new.
	Duplicates int
	// Rest must be stored too, but holds nothing to learn from.
	Rest Rest
	// Heard must be stored too.
	Heard Heard
	// Doubts should be asked of Label Studio once the delta is stored.
	Doubts Doubts
}

// Heard is at which position of the log of changes things were last heard of.
type Heard struct {
	Tasks       map[TaskID]uint64
	Annotations map[AnnotationID]uint64
}

// Doubts are what only a reading can settle: deletions that a webhook told, and
// what was heard while Label Studio was being read and differs from it.
type Doubts struct {
	// Project is the project itself: whether it is there, and its settings.
	Project bool
	Tasks   []TaskID
}

// Rest is the part of a Delta that only the state needs: without it a later
// statement could be judged wrongly, and the order of arrival would matter.
type Rest struct {
	// Tasks were heard of again with the same data and a later time. Label Studio
	// moves a task's time at every annotation and prediction, also at our own.
	Tasks []Task
	// Annotations were heard of again with the same content and a later time, or
	// are on a task that is deleted.
	Annotations []Annotation
	// DeletedTasks had no data when they were deleted, or were deleted already.
	DeletedTasks []TaskID
	// DeletedAnnotations are all annotations that are deleted now and were not before.
	DeletedAnnotations []AnnotationID
}

// Empty reports whether the delta changes neither a task nor the config. An
// empty delta still belongs into the Commit: its Meta and Rest must be stored.
func (d *Delta) Empty() bool { return len(d.Tasks) == 0 && !d.ConfigChanged && !d.New }

// Stored is everything the learner needs of a project when it starts.
type Stored struct {
	Meta Meta
	// Labelled reads the tasks with at least one annotation, by id, a few at a time: all
	// of them may be more memory than what is learned of them. An error ends it. It may
	// be run again, and reads what is there by then.
	Labelled iter.Seq2[TaskState, error]
	// Checkpoint is what the learner last saved, opaque to the state; nil at first.
	Checkpoint []byte
	// Versions, oldest first; the live one is marked.
	Versions []Version
	// LearnerState is what the learner keeps of the project beside its versions, opaque
	// to the state; nil at first.
	LearnerState []byte
	// Settings are what somebody has set for the project, by key; empty at first.
	Settings map[string]string
}

// Version is a named snapshot: what Label Studio shows as model_version.
type Version struct {
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	Reason    string    `json:"reason"`
	Live      bool      `json:"live"`
	Labels    int       `json:"labels"`
	// Settings are what the version's models are trained with, opaque to the state.
	Settings []byte `json:"settings,omitempty"`
	// Accuracy is the held-out accuracy when the version was made, per control.
	Accuracy map[string]float64 `json:"accuracy,omitempty"`
}

// Commit is one transaction: what a batch changed, what the model is now, and
// how far the log is handled. All of it becomes durable, or none.
type Commit struct {
	Projects []ProjectCommit
	// Cursor is nil when the commit does not come from a log entry.
	Cursor *Cursor
	// Learned are appended to the Snapshots log in the same transaction.
	Learned []*Learned
}

// ProjectCommit is one project's part of a Commit.
type ProjectCommit struct {
	Project ProjectID
	// Delta is nil when only the model changed.
	Delta *Delta
	// Checkpoint replaces the stored one unless nil.
	Checkpoint []byte
	// Versions replaces the stored list unless nil.
	Versions []Version
	// LearnerState replaces the stored one unless nil.
	LearnerState []byte
	// Settings replace the stored ones unless nil.
	Settings map[string]string
}

// KnownTask is one task's entry in the comparison of ids.
type KnownTask struct {
	Task        TaskID
	UpdatedAt   time.Time
	Annotations []AnnotationID
}
