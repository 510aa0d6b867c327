package event

import (
	"iter"
	"time"
)

// TaskState is one task as hone stores it, with all annotations that are neither deleted nor
// superseded, in the order of ids.
type TaskState struct {
	Task        Task         `json:"task"`
	Annotations []Annotation `json:"annotations,omitempty"`
	// Deleted is true when the task was deleted. All but Task.ID is then empty.
	Deleted bool `json:"deleted,omitempty"`
}

// Labelled reports whether an annotator has answered the task. A skip is no answer.
func (t TaskState) Labelled() bool {
	for _, a := range t.Annotations {
		if !a.Cancelled {
			return true
		}
	}
	return false
}

// Skipped reports whether an annotator skipped the task.
func (t TaskState) Skipped() bool {
	for _, a := range t.Annotations {
		if a.Cancelled {
			return true
		}
	}
	return false
}

// Meta is the record of a project, without its tasks.
type Meta struct {
	Project     ProjectID `json:"project"`
	CreatedAt   int64     `json:"created_at,omitempty"`
	Title       string    `json:"title,omitempty"`
	LabelConfig string    `json:"label_config,omitempty"`
	// Gone is true when Label Studio no longer has the project.
	Gone bool `json:"gone,omitempty"`
	// TitleAt and LabelConfigAt are when the statements of Title and LabelConfig were
	// received. The later statement wins, in whatever order they are applied.
	TitleAt       time.Time `json:"title_at,omitzero"`
	LabelConfigAt time.Time `json:"label_config_at,omitzero"`
	// LastEvent is when hone last received a change of the project.
	LastEvent time.Time `json:"last_event,omitzero"`
	// These are the offsets in the log of changes at which each was stated, which a reading
	// compares with its own.
	TitleHeard       uint64 `json:"title_heard,omitempty"`
	LabelConfigHeard uint64 `json:"label_config_heard,omitempty"`
	GoneHeard        uint64 `json:"gone_heard,omitempty"`
	// Missed counts the changes that only a reconcile found.
	Missed uint64 `json:"missed,omitempty"`
}

// Delta is what a batch of events changes in one project, without duplicates and superseded
// statements. Applying it twice has the effect of once.
type Delta struct {
	// Meta is the project's record after the batch.
	Meta Meta
	// ConfigChanged is true when the label config differs from the stored one.
	ConfigChanged bool
	// New is true when the project was unknown, or when its Label Studio database was replaced
	// (the same id with another CreatedAt). Tasks then holds all tasks, and what was learned
	// under this id before is void.
	New bool
	// Tasks holds the changed tasks as they are after the batch, with all annotations, in the
	// order of ids.
	Tasks []TaskState
	// Annotations is the number of annotations that were new, changed or deleted.
	Annotations int
	// Duplicates is the number of Changed that stated nothing new.
	Duplicates int
	// Bookkeeping must be stored too. There is nothing in it to learn from.
	Bookkeeping Bookkeeping
	// Heard must be stored too.
	Heard Heard
	// Doubts is to be read from Label Studio after the delta is stored.
	Doubts Doubts
}

// Heard holds the offsets in the log of changes at which tasks and annotations were last stated.
type Heard struct {
	Tasks       map[TaskID]uint64
	Annotations map[AnnotationID]uint64
}

// Doubts is what only a reading can decide: deletions that a webhook reported, and statements
// that came while Label Studio was being read and differ from the reading.
type Doubts struct {
	// Project asks for the project itself: whether it exists, and its settings.
	Project bool
	Tasks   []TaskID
}

// Bookkeeping is the part of a Delta that only the state needs. Without it, the merge of a later
// statement would depend on the order of arrival.
type Bookkeeping struct {
	// Tasks were stated again with the same data and a later time. Label Studio changes a
	// task's time at every annotation and prediction, also at those of hone.
	Tasks []Task
	// Annotations were stated again with the same content and a later time, or are of a
	// deleted task.
	Annotations []Annotation
	// DeletedTasks had no data when they were deleted, or had been deleted before.
	DeletedTasks []TaskID
	// DeletedAnnotations are all annotations that are deleted now and were not before.
	DeletedAnnotations []AnnotationID
}

// Empty reports whether the delta changes neither a task nor the config. An empty delta must be
// committed too, for its Meta and Bookkeeping.
func (d *Delta) Empty() bool { return len(d.Tasks) == 0 && !d.ConfigChanged && !d.New }

// ProjectState is what the learner loads of a project.
type ProjectState struct {
	Meta Meta
	// Labelled yields the tasks with at least one annotation, in the order of ids. It reads a
	// few at a time, since all of them may need more memory than the models. It ends after an
	// error. It may be run again and reads what is stored then.
	Labelled iter.Seq2[TaskState, error]
	// Checkpoint is the last one that was committed, opaque to the state; nil before the first.
	Checkpoint []byte
	// Versions holds the versions, oldest first. One of them is Live.
	Versions []Version
	// LearnerState is the learner's record of the project, opaque to the state; nil before the
	// first commit.
	LearnerState []byte
	// Settings are what somebody has set for the project, by key; empty at first.
	Settings map[string]string
}

// Version is a name, which Label Studio shows as model_version, with the settings of the models.
type Version struct {
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	Reason    string    `json:"reason"`
	Live      bool      `json:"live"`
	Labels    int       `json:"labels"`
	// AdaptedLabels is to how many labels the encoder had adapted, and AdaptedBy names the
	// trainer: with the labels there are it makes the same adapter again.
	AdaptedLabels int    `json:"adapted_labels,omitempty"`
	AdaptedBy     string `json:"adapted_by,omitempty"`
	// Settings holds the settings of the version's models, opaque to the state.
	Settings []byte `json:"settings,omitempty"`
	// Accuracy is the cross-validated accuracy when the version was made, by control name.
	Accuracy map[string]float64 `json:"accuracy,omitempty"`
}

// Commit is one transaction: what a batch changed, the state of the models, and the position in
// the log. All of it becomes durable, or nothing.
type Commit struct {
	Projects []ProjectCommit
	// Cursor is nil when the commit does not handle entries of a log.
	Cursor *Cursor
	// Learned are appended to the Snapshots log in the same transaction.
	Learned []*Learned
}

// ProjectCommit is one project's part of a Commit.
type ProjectCommit struct {
	Project ProjectID
	// Delta is nil when only the models changed.
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

// KnownTask is the entry of one task in the comparison of ids.
type KnownTask struct {
	Task        TaskID
	UpdatedAt   time.Time
	Annotations []AnnotationID
}
