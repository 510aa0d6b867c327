package event

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// ProjectID is Label Studio's id of a project. Label Studio never reuses ids within one database.
type ProjectID int64

// TaskID is Label Studio's id of a task, unique over all projects.
type TaskID int64

// Hash returns a hash of the id that is the same in every run, for choices among tasks that are to
// depend on neither order nor time.
func (id TaskID) Hash() uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(id)) //nolint:gosec // any bits do
	return xxhash.Sum64(b[:])
}

// AnnotationID is Label Studio's id of an annotation, unique over all projects.
type AnnotationID int64

// UserID is Label Studio's id of a person.
type UserID int64

// ContentKey identifies a text by its content: the first 16 bytes of its SHA-256.
type ContentKey [16]byte

// Topic names one append-only log. Entries of a topic are in order.
type Topic string

const (
	// Changes is the log that the learner applies: Changed, RetrainDue, RollbackDue, Configured, Forgotten.
	Changes Topic = "changes"
	// Reconciles is the log of ReconcileDue; its handler asks Label Studio and
	// publishes the difference to Changes.
	Reconciles Topic = "reconciles"
	// Snapshots is the log of Learned, which the sampler handles.
	Snapshots Topic = "snapshots"
	// DeadLetters is the log of events that can never be handled, with the reason.
	DeadLetters Topic = "deadletters"
)

// Cursor is the position of a consumer group in a topic: everything up to and
// including Offset is handled. Offsets start at 1.
type Cursor struct {
	Topic  Topic
	Group  string
	Offset uint64
	// Lane is a project if the group handles the topic project by project, else 0. With a
	// Lane, the entries of this project up to Offset are handled, and those of all projects
	// up to Base.
	Lane ProjectID
	Base uint64
}
