package state

import (
	"bytes"

	"github.com/hone-ml/hone/event"
)

// maxUnknownDeletions is how many deletions of unknown ids in one statement are stored: a
// deletion may arrive just before the statement about what it deletes. Label Studio deletes
// many things at once only long after it told of them, so a statement with more unknown ids
// is made up, and each would cost space.
const maxUnknownDeletions = 5

// mergeStatement merges a statement that came by webhook: the later one wins, and a deletion
// wins over every other. One that loses and says something else came late, or Label Studio's
// clock went back: its task is marked as doubted, so that it is read. found counts what changed.
func (m *projectMerge) mergeStatement(c *event.Changed) (found int, err error) {
	for _, t := range c.Tasks {
		if noData(t) {
			continue
		}
		t.UpdatedAt = t.UpdatedAt.Round(0).UTC()
		changed, err := m.mergeTask(t, c.Position)
		if err != nil {
			return 0, err
		}
		found += countOf(changed)
	}
	for _, a := range c.Annotations {
		a.UpdatedAt = a.UpdatedAt.Round(0).UTC()
		changed, err := m.mergeAnnotation(a, c.Position)
		if err != nil {
			return 0, err
		}
		found += countOf(changed)
	}
	webhook := c.Source == event.FromWebhook
	deleted, err := m.deleteAll(c, c.Position, webhook)
	return found + deleted, err
}

func noData(t event.Task) bool {
	return len(t.Data) == 0 || bytes.Equal(t.Data, []byte("null"))
}

// deleteAll merges the deletions of a statement. With ask, deletions of things that were
// there are marked as doubted.
func (m *projectMerge) deleteAll(c *event.Changed, at uint64, ask bool) (found int, err error) {
	var strangers []*taskSlot
	for _, id := range c.DeletedTasks {
		slot, known, err := m.taskWithAnnotations(id)
		if err != nil {
			return 0, err
		}
		if !known && !slot.now.deleted {
			strangers = append(strangers, slot)
			continue
		}
		if known && ask {
			m.markDoubted(id)
		}
		found += countOf(known)
		m.deleteTask(slot, at)
	}
	var others []*annSlot
	for _, id := range c.DeletedAnnotations {
		slot, err := m.annotation(id)
		if err != nil {
			return 0, err
		}
		if !slot.now.stated && !slot.now.deleted {
			others = append(others, slot)
			continue
		}
		if slot.now.isCounted() && ask {
			m.markDoubted(slot.now.task)
		}
		found += countOf(slot.now.isCounted())
		m.deleteAnnotation(slot, at)
	}
	if len(strangers)+len(others) > maxUnknownDeletions {
		m.doubtProject = m.doubtProject || ask
		return found, nil
	}
	for _, slot := range strangers {
		m.deleteTask(slot, at)
	}
	for _, slot := range others {
		m.deleteAnnotation(slot, at)
	}
	return found, nil
}

// mergeTask merges a task's data and reports whether it changed. The position of a statement
// that loses is stored too, so that a reading that began before it does not win over it.
func (m *projectMerge) mergeTask(t event.Task, at uint64) (bool, error) {
	slot, err := m.task(t.ID)
	if err != nil {
		return false, err
	}
	if slot.now.deleted {
		slot.now.at = max(slot.now.at, at)
		return false, nil
	}
	st := taskVersion(t)
	if slot.now.stated {
		switch order := st.compare(slot.now.stamp); {
		case order < 0:
			slot.now.at = max(slot.now.at, at)
			if st.hash != slot.now.stamp.hash {
				m.markDoubted(t.ID)
			}
			return false, nil
		case order == 0:
			if bytes.Compare(t.Data, slot.data) <= 0 {
				return false, nil // it says nothing new
			}
			at = 0
		}
	}
	return m.setTask(slot, t, st, max(slot.now.at, at)), nil
}

func (m *projectMerge) setTask(slot *taskSlot, t event.Task, st version, at uint64) (news bool) {
	news = !slot.now.stated || st.hash != slot.now.stamp.hash
	slot.now = taskFact{stated: true, stamp: st, at: at}
	slot.data, slot.restated = t.Data, true
	return news
}

// mergeAnnotation merges an annotation and reports whether it changed. Of one on a deleted
// task only the time is kept: it may be older than a statement that puts it on another task,
// or newer.
func (m *projectMerge) mergeAnnotation(a event.Annotation, at uint64) (bool, error) {
	slot, err := m.annotation(a.ID)
	if err != nil {
		return false, err
	}
	if slot.now.deleted {
		slot.now.at = max(slot.now.at, at)
		return false, nil
	}
	if err := m.noteOrigin(slot, a); err != nil {
		return false, err
	}
	lost, err := m.lacksContent(slot)
	if err != nil {
		return false, err
	}
	if slot.now.stated && !lost {
		st := annotationVersion(a)
		switch order := st.compare(slot.now.stamp); {
		case order < 0:
			slot.now.at = max(slot.now.at, at)
			if st.hash != slot.now.stamp.hash {
				m.markDoubted(a.Task)
			}
			return false, nil
		case order == 0:
			if slot.now.bare || bytes.Compare(a.Result, m.result(slot)) <= 0 {
				return false, nil
			}
			at = 0
		}
	}
	return m.setAnnotation(slot, a, max(slot.now.at, at))
}

// lacksContent reports whether an annotation's content is unknown although its task is
// there: the task was taken for deleted when the annotation was stated, so only its id was
// kept.
func (m *projectMerge) lacksContent(slot *annSlot) (bool, error) {
	if !slot.now.bare {
		return false, nil
	}
	t, err := m.task(slot.now.task)
	return err == nil && !t.now.deleted, err
}

func (m *projectMerge) setAnnotation(slot *annSlot, a event.Annotation, at uint64) (news bool, err error) {
	t, err := m.task(a.Task)
	if err != nil {
		return false, err
	}
	was := slot.now
	a.Suggested = was.suggested && was.task == a.Task || a.Suggested || a.FromModel
	slot.now = annFact{
		annotationRef: annotationRef{task: a.Task, stamp: annotationVersion(a), at: at}, stated: true, bare: t.now.deleted,
		fromModel: a.FromModel, suggested: a.Suggested, untimed: a.Untimed,
	}
	slot.statement = &a
	if was.task != a.Task || !was.stated {
		m.annotationsOf[a.Task] = append(m.annotationsOf[a.Task], slot)
	}
	wasThere, isThere := was.isCounted(), slot.now.isCounted()
	return wasThere != isThere || isThere && slot.differsFrom(was), nil
}

// taskWithAnnotations returns a task with everything on it loaded, and whether
// there is anything.
func (m *projectMerge) taskWithAnnotations(id event.TaskID) (slot *taskSlot, known bool, err error) {
	if slot, err = m.task(id); err != nil {
		return nil, false, err
	}
	if err := m.loadAnnotations(id); err != nil {
		return nil, false, err
	}
	known = slot.now.stated
	for _, a := range m.annotationsOf[id] {
		known = known || a.now.isCounted() && a.now.task == id
	}
	return slot, known, nil
}

// deleteTask deletes a task and its annotations, of which only the times are kept.
func (m *projectMerge) deleteTask(slot *taskSlot, at uint64) {
	for _, a := range m.annotationsOf[slot.id] {
		if a.now.task == slot.id && a.now.stated && !a.now.deleted {
			a.now.bare = true
		}
	}
	slot.now = taskFact{deleted: true, at: max(slot.now.at, at)}
	slot.data, slot.restated = nil, false
}

func (m *projectMerge) deleteAnnotation(slot *annSlot, at uint64) {
	slot.now = annFact{annotationRef: annotationRef{deleted: true, at: max(slot.now.at, at)}, stated: true}
	slot.statement = nil
}
