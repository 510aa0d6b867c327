package event

// ProjectID is Label Studio's id of a project. Ids are never reused within one
// Label Studio database.
type ProjectID int64

// TaskID is Label Studio's id of a task, unique over all projects.
type TaskID int64

// AnnotationID is Label Studio's id of an annotation, unique over all projects.
type AnnotationID int64

// UserID is Label Studio's id of a person.
type UserID int64

// TextKey names a text by its content: the beginning of its SHA-256.
type TextKey [16]byte

// Topic names one append-only log. Order is kept within a topic.
type Topic string

const (
	// Changes is the log the learner applies: Changed, RetrainDue, RollbackDue, Configured.
	Changes Topic = "changes"
	// Reconciles is the log of ReconcileDue; its handler asks Label Studio and
	// publishes the difference to Changes.
	Reconciles Topic = "reconciles"
	// Snapshots is the log of Learned; the sampler follows it.
	Snapshots Topic = "snapshots"
	// DeadLetters keeps events that can never be handled, with the reason.
	DeadLetters Topic = "deadletters"
)

// Cursor is the position of a consumer group in a topic: everything up to and
// including Offset is handled. Offsets start at 1.
type Cursor struct {
	Topic  Topic
	Group  string
	Offset uint64
	// Lane is not 0 where the group follows the topic project by project: then only
	// this project's entries up to Offset are handled, and all projects' up to Base.
	Lane ProjectID
	Base uint64
}
