package state

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/fault"
)

// Plan merges changes with what is stored and returns what they really change,
// one Delta per project, by project id. It writes nothing; Commit stores the
// deltas. Planning the same changes again before or after the Commit is
// harmless. The deltas share memory with the changes: treat both as read-only.
//
// A task statement without data says nothing. An error wraps
// event.ErrUnreadable when no retry can help.
func (s *Store) Plan(ctx context.Context, changes []*event.Changed) ([]event.Delta, error) {
	byProject := make(map[event.ProjectID][]*event.Changed)
	for i, c := range changes {
		if c == nil || c.Project <= 0 {
			return nil, fmt.Errorf("plan: %w: a change names no project", event.ErrUnreadable)
		}
		p := c.Project
		if fault.On(fault.WrongProject) && i > 0 {
			p = changes[i-1].Project
		}
		byProject[p] = append(byProject[p], c)
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
			d, err := m.delta()
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

// merge is one project while a batch is applied: what is stored, read as it is
// needed, and what the batch has made of it so far.
type merge struct {
	b            *buckets // nil when nothing is stored, or it was dropped
	before, meta event.Meta
	fresh        bool // not known before, or dropped
	mark         watermark

	tasks map[event.TaskID]*taskSlot
	anns  map[event.AnnotationID]*annSlot
	// on lists, per task, the annotations that were on it before or are now.
	on map[event.TaskID][]*annSlot

	duplicates int
}

type taskFact struct {
	deleted bool
	heard   bool // its data is known
	stamp   stamp
}

type taskSlot struct {
	id          event.TaskID
	before, now taskFact
	data        []byte // of now; may belong to the transaction
	said        bool   // the batch has a later statement than the stored one
}

type annFact struct {
	register
	heard bool
}

type annSlot struct {
	id          event.AnnotationID
	before, now annFact
	said        *event.Annotation // nil while the stored statement stands
}

func newMerge(tx *bbolt.Tx, p event.ProjectID) (*merge, error) {
	m := &merge{
		tasks: make(map[event.TaskID]*taskSlot), anns: make(map[event.AnnotationID]*annSlot),
		on: make(map[event.TaskID][]*annSlot), b: openProject(tx, p),
		before: event.Meta{Project: p}, fresh: true,
	}
	if m.b != nil {
		var err error
		var known bool
		if m.before, known, err = m.b.meta(p); err != nil {
			return nil, err
		}
		if m.mark, err = m.b.watermark(); err != nil {
			return nil, err
		}
		m.fresh = !known
	}
	m.meta = m.before
	return m, nil
}

// apply merges one statement.
func (m *merge) apply(c *event.Changed) error {
	if c.CreatedAt != 0 && m.meta.CreatedAt != 0 && c.CreatedAt != m.meta.CreatedAt {
		if !c.At.After(m.meta.LastEvent) {
			m.duplicates++ // a late word about a database that is no more
			return nil
		}
		m.drop()
	}
	news := m.describe(c)
	found := 0
	for _, t := range c.Tasks {
		if len(t.Data) == 0 || bytes.Equal(t.Data, []byte("null")) {
			continue
		}
		t.UpdatedAt = t.UpdatedAt.Round(0).UTC()
		changed, err := m.stateTask(t)
		if err != nil {
			return err
		}
		found += count(changed)
	}
	for _, a := range c.Annotations {
		a.UpdatedAt = a.UpdatedAt.Round(0).UTC()
		changed, err := m.stateAnnotation(a)
		if err != nil {
			return err
		}
		found += count(changed)
	}
	for _, id := range c.DeletedTasks {
		changed, err := m.deleteTask(id)
		if err != nil {
			return err
		}
		found += count(changed)
	}
	for _, id := range c.DeletedAnnotations {
		changed, err := m.deleteAnnotation(id)
		if err != nil {
			return err
		}
		found += count(changed)
	}
	// What the first reconcile of a project brings was not missed: nobody was to
	// tell us. Missed begins once its watermark is set.
	if c.Source == event.FromReconcile && !m.mark.first.IsZero() && c.At.After(m.mark.first) {
		m.meta.Missed += uint64(found)
	}
	if found == 0 && !news {
		m.duplicates++
	}
	return nil
}

func count(changed bool) int {
	if changed {
		return 1
	}
	return 0
}

// drop forgets what was stored: the project's Label Studio database was replaced.
func (m *merge) drop() {
	*m = merge{
		tasks: make(map[event.TaskID]*taskSlot), anns: make(map[event.AnnotationID]*annSlot),
		on: make(map[event.TaskID][]*annSlot), fresh: true, duplicates: m.duplicates,
		before: event.Meta{Project: m.meta.Project}, meta: event.Meta{Project: m.meta.Project},
	}
}

// describe merges what is said of the project itself; the later heard wins, so
// that here too the order of arrival does not matter.
func (m *merge) describe(c *event.Changed) (news bool) {
	at := c.At.Round(0).UTC()
	was := m.meta
	if m.meta.CreatedAt == 0 {
		m.meta.CreatedAt = c.CreatedAt
	}
	if supersedes(c.Title, was.Title, at.Compare(was.TitleAt)) {
		m.meta.Title, m.meta.TitleAt = c.Title, at
	}
	if supersedes(c.LabelConfig, was.LabelConfig, at.Compare(was.LabelConfigAt)) {
		m.meta.LabelConfig, m.meta.LabelConfigAt = c.LabelConfig, at
	}
	switch at.Compare(was.LastEvent) {
	case 1:
		m.meta.LastEvent, m.meta.Gone = at, c.Gone
	case 0:
		m.meta.Gone = was.Gone || c.Gone
	}
	return m.meta.Title != was.Title || m.meta.LabelConfig != was.LabelConfig ||
		m.meta.Gone != was.Gone || m.meta.CreatedAt != was.CreatedAt
}

func supersedes(text, stored string, order int) bool {
	return text != "" && (order > 0 || order == 0 && text > stored)
}

// stateTask merges a task's data and reports whether it is news.
func (m *merge) stateTask(t event.Task) (bool, error) {
	slot, err := m.task(t.ID)
	if err != nil || slot.now.deleted {
		return false, err
	}
	st := taskStamp(t)
	if slot.now.heard {
		order := st.compare(slot.now.stamp)
		if order < 0 || order == 0 && bytes.Compare(t.Data, slot.data) <= 0 {
			return false, nil
		}
	}
	news := !slot.now.heard || st.hash != slot.now.stamp.hash
	slot.now = taskFact{heard: true, stamp: st}
	slot.data, slot.said = t.Data, true
	return news, nil
}

// stateAnnotation merges an annotation and reports whether it is news. One that
// is on a deleted task is news to nobody, but its time is kept: it may be older
// than a statement that puts it on another task, or newer.
func (m *merge) stateAnnotation(a event.Annotation) (bool, error) {
	slot, err := m.annotation(a.ID)
	if err != nil || slot.now.deleted {
		return false, err
	}
	wasThere, err := m.counts(slot.now)
	if err != nil {
		return false, err
	}
	st := annotationStamp(a)
	if slot.now.heard {
		order := st.compare(slot.now.stamp)
		if order < 0 || order == 0 && (!wasThere || bytes.Compare(a.Result, m.result(slot)) <= 0) {
			return false, nil
		}
	}
	was := slot.now
	slot.now = annFact{register: register{task: a.Task, stamp: st}, heard: true}
	slot.said = &a
	if was.task != a.Task || !was.heard {
		m.on[a.Task] = append(m.on[a.Task], slot)
	}
	isThere, err := m.counts(slot.now)
	return wasThere != isThere || isThere && (was.task != a.Task || was.stamp.hash != st.hash), err
}

func (m *merge) deleteTask(id event.TaskID) (bool, error) {
	slot, err := m.task(id)
	if err != nil || slot.now.deleted {
		return false, err
	}
	known := slot.now.heard
	if err := m.loadOn(id); err != nil {
		return false, err
	}
	for _, a := range m.on[id] {
		known = known || a.now.heard && !a.now.deleted && a.now.task == id
	}
	slot.now = taskFact{deleted: true}
	slot.data, slot.said = nil, false
	return known, nil
}

func (m *merge) deleteAnnotation(id event.AnnotationID) (bool, error) {
	slot, err := m.annotation(id)
	if err != nil || slot.now.deleted {
		return false, err
	}
	wasThere, err := m.counts(slot.now)
	slot.now = annFact{register: register{deleted: true}}
	slot.said = nil
	return wasThere, err
}
