package state

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// Plan merges changes with what is stored and returns what they really change,
// one Delta per project, by project id. It writes nothing; Commit stores the
// deltas. Planning the same changes again before or after the Commit is
// harmless. The deltas share memory with the changes: treat both as read-only.
//
// A task statement without data says nothing, unless it was read. An error wraps
// event.ErrUnreadable when no retry can help.
func (s *Store) Plan(ctx context.Context, changes []*event.Changed) ([]event.Delta, error) {
	byProject := make(map[event.ProjectID][]*event.Changed)
	for _, c := range changes {
		if c == nil || c.Project <= 0 {
			return nil, fmt.Errorf("plan: %w: a change names no project", event.ErrUnreadable)
		}
		byProject[c.Project] = append(byProject[c.Project], c)
	}
	deltas := make([]event.Delta, 0, len(byProject))
	err := s.db.View(func(tx *bbolt.Tx) error {
		for p, changes := range byProject {
			m, err := newMerge(tx, p)
			if err != nil {
				return fmt.Errorf("project %d: %w", p, err)
			}
			for _, c := range changes {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := m.apply(c); err != nil {
					return fmt.Errorf("project %d: %w", p, err)
				}
			}
			d, err := m.buildDelta()
			if err != nil {
				return fmt.Errorf("project %d: %w", p, err)
			}
			deltas = append(deltas, d)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	slices.SortFunc(deltas, func(a, b event.Delta) int { return cmp.Compare(a.Meta.Project, b.Meta.Project) })
	return deltas, nil
}

// projectMerge merges a batch of changes into one project. It holds the stored records, read
// as they are needed, and their state after the changes so far.
type projectMerge struct {
	b            *projectBuckets // nil when nothing is stored, or it was dropped
	before, meta event.Meta
	isNew        bool // not known before, or dropped
	watermark    watermark

	tasks map[event.TaskID]*taskSlot
	anns  map[event.AnnotationID]*annSlot
	// annotationsOf lists, per task, the annotations that were on it before or are now.
	annotationsOf map[event.TaskID][]*annSlot

	duplicates   int
	doubts       map[event.TaskID]bool
	doubtProject bool
}

type taskFact struct {
	deleted bool
	stated  bool // its data is known
	stamp   version
	at      uint64 // the position of the last statement about it
}

type taskSlot struct {
	id          event.TaskID
	before, now taskFact
	data        []byte // of now; may belong to the transaction
	restated    bool   // the batch has another statement than the stored one
}

type annFact struct {
	annotationRef
	stated bool
	// bare: only its time is known, since the task it was stated on was deleted.
	bare bool
	// suggested is known once any statement said so, whichever stands: Label Studio
	// forgets the prediction that an annotation was made from.
	suggested bool
	// fromModel and untimed are what the standing statement says.
	fromModel, untimed bool
}

// unattended is that of event.Annotation.
func (f *annFact) unattended() bool { return f.fromModel || f.suggested && f.untimed }

// isCounted reports whether the learner learns from an annotation.
func (f *annFact) isCounted() bool { return f.stated && !f.deleted && !f.bare }

type annSlot struct {
	id          event.AnnotationID
	before, now annFact
	statement   *event.Annotation // nil while the stored statement stands
}

func newMerge(tx *bbolt.Tx, p event.ProjectID) (*projectMerge, error) {
	m := &projectMerge{
		tasks: make(map[event.TaskID]*taskSlot), anns: make(map[event.AnnotationID]*annSlot),
		annotationsOf: make(map[event.TaskID][]*annSlot), b: openProject(tx, p),
		before: event.Meta{Project: p}, isNew: true,
	}
	if m.b != nil {
		var err error
		var known bool
		if m.before, known, err = m.b.meta(p); err != nil {
			return nil, err
		}
		if m.watermark, err = m.b.watermark(); err != nil {
			return nil, err
		}
		m.isNew = !known
	}
	m.meta = m.before
	return m, nil
}

// apply merges one statement.
func (m *projectMerge) apply(c *event.Changed) error {
	if c.CreatedAt != 0 && m.meta.CreatedAt != 0 && c.CreatedAt != m.meta.CreatedAt {
		if !m.replacesDatabase(c) {
			m.duplicates++
			return nil
		}
		m.dropStored()
	}
	news := m.mergeProject(c)
	var found int
	var err error
	if c.Reading != nil {
		found, err = m.mergeReading(c)
	} else {
		found, err = m.mergeStatement(c)
	}
	if err != nil {
		return err
	}
	// What the first reconcile of a project brings was not missed: nobody was to
	// tell us. Missed begins once its watermark is set.
	if c.Source == event.FromReconcile && !m.watermark.first.IsZero() && c.At.After(m.watermark.first) {
		m.meta.Missed += uint64(found)
	}
	if found == 0 && !news {
		m.duplicates++
	}
	return nil
}

// replacesDatabase reports whether a statement proves that the project id belongs to another
// Label Studio database now; then everything stored is dropped. A webhook proves nothing: it
// causes a reading.
func (m *projectMerge) replacesDatabase(c *event.Changed) bool {
	switch {
	case c.Reading != nil:
		return true
	case c.Source == event.FromWebhook:
		m.doubtProject = true
		return false
	}
	return c.At.After(m.meta.LastEvent) // else a late word about a database that is no more
}

func countOf(changed bool) int {
	if changed {
		return 1
	}
	return 0
}

// dropStored drops all stored records, as the project's Label Studio database was replaced.
func (m *projectMerge) dropStored() {
	*m = projectMerge{
		tasks: make(map[event.TaskID]*taskSlot), anns: make(map[event.AnnotationID]*annSlot),
		annotationsOf: make(map[event.TaskID][]*annSlot), isNew: true, duplicates: m.duplicates,
		before: event.Meta{Project: m.meta.Project}, meta: event.Meta{Project: m.meta.Project},
		doubtProject: m.doubtProject,
	}
}

// markDoubted records that only a reading can settle the state of a task.
func (m *projectMerge) markDoubted(id event.TaskID) {
	if m.doubts == nil {
		m.doubts = make(map[event.TaskID]bool)
	}
	m.doubts[id] = true
}

// mergeProject merges title, label config and deletion of the project. Among statements the
// one heard later wins; a reading wins over all that was heard before it. A label config or a
// deletion in a webhook causes a reading; the label config holds until that is there.
func (m *projectMerge) mergeProject(c *event.Changed) (news bool) {
	at := c.At.Round(0).UTC()
	was := m.meta
	heard, stands := c.Position, func(uint64) bool { return false }
	if c.Reading != nil {
		heard = c.Reading.From
		stands = func(stored uint64) bool { return stored <= c.Reading.From }
	}
	if m.meta.CreatedAt == 0 {
		m.meta.CreatedAt = c.CreatedAt
	}
	if c.Title != "" && stands(was.TitleHeard) || supersedes(c.Title, was.Title, at.Compare(was.TitleAt)) {
		m.meta.Title, m.meta.TitleAt, m.meta.TitleHeard = c.Title, at, max(was.TitleHeard, heard)
	}
	if c.LabelConfig != "" && stands(was.LabelConfigHeard) || supersedes(c.LabelConfig, was.LabelConfig, at.Compare(was.LabelConfigAt)) {
		m.meta.LabelConfig, m.meta.LabelConfigAt, m.meta.LabelConfigHeard = c.LabelConfig, at, max(was.LabelConfigHeard, heard)
	}
	webhook := c.Source == event.FromWebhook
	switch order := at.Compare(was.LastEvent); {
	case webhook && c.Gone:
		m.doubtProject = true
	case order > 0 || stands(was.GoneHeard):
		m.meta.LastEvent, m.meta.Gone = at, c.Gone
		m.meta.GoneHeard = max(was.GoneHeard, heard)
	case order == 0:
		m.meta.Gone = was.Gone || c.Gone
	}
	if webhook && (m.meta.LabelConfig != was.LabelConfig && was.LabelConfig != "" || m.meta.Gone != was.Gone) {
		m.doubtProject = true
	}
	if c.Reading != nil && (c.Title != "" && c.Title != m.meta.Title || c.LabelConfig != "" && c.LabelConfig != m.meta.LabelConfig || c.Gone && !m.meta.Gone) {
		m.doubtProject = true // something else was heard while it was read
	}
	return m.meta.Title != was.Title || m.meta.LabelConfig != was.LabelConfig ||
		m.meta.Gone != was.Gone || m.meta.CreatedAt != was.CreatedAt
}

func supersedes(text, stored string, order int) bool {
	return text != "" && (order > 0 || order == 0 && text > stored)
}
