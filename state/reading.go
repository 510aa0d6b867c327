package state

import (
	"bytes"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/fault"
)

// mergeReading merges what was read from Label Studio. Whatever the dates, it wins over
// everything heard at or before its From, deletions included. What was heard later may be
// newer than the reading or older: both are merged as statements, and where they differ the
// task is marked as doubted, so that it is read again.
func (m *projectMerge) mergeReading(c *event.Changed) (found int, err error) {
	from := c.Reading.From
	on := make(map[event.TaskID][]event.Annotation, len(c.Tasks))
	for _, a := range c.Annotations {
		a.UpdatedAt = a.UpdatedAt.Round(0).UTC()
		on[a.Task] = append(on[a.Task], a)
	}
	for _, t := range c.Tasks {
		t.UpdatedAt = t.UpdatedAt.Round(0).UTC()
		n, err := m.readTask(t, on[t.ID], from)
		if err != nil {
			return 0, err
		}
		found += n
	}
	if err := m.doubtLater(c, from); err != nil {
		return 0, err
	}
	n, err := m.deleteAll(c, from, false)
	return found + n, err
}

// doubtLater marks as doubted the deleted things that were stated after the reading began.
func (m *projectMerge) doubtLater(c *event.Changed, from uint64) error {
	for _, id := range c.DeletedTasks {
		slot, _, err := m.taskWithAnnotations(id)
		if err != nil {
			return err
		}
		later := slot.now.at > from
		for _, a := range m.annotationsOf[id] {
			later = later || a.now.task == id && a.now.at > from
		}
		if later {
			m.markDoubted(id)
		}
	}
	for _, id := range c.DeletedAnnotations {
		slot, err := m.annotation(id)
		if err != nil {
			return err
		}
		if slot.now.isCounted() && slot.now.at > from {
			m.markDoubted(slot.now.task)
		}
	}
	return nil
}

// readTask merges a task and all annotations there are of it.
func (m *projectMerge) readTask(t event.Task, annotations []event.Annotation, from uint64) (found int, err error) {
	slot, _, err := m.taskWithAnnotations(t.ID)
	if err != nil {
		return 0, err
	}
	switch {
	case slot.now.deleted && slot.now.at > from:
		m.markDoubted(t.ID)
	case slot.now.deleted:
		slot.now = taskFact{at: slot.now.at} // it is there after all
	}
	changed, err := m.readData(slot, t, from)
	if err != nil {
		return 0, err
	}
	found += countOf(changed)
	listed := make(map[event.AnnotationID]bool, len(annotations))
	for _, a := range annotations {
		listed[a.ID] = true
		changed, err := m.readAnnotation(a, from)
		if err != nil {
			return 0, err
		}
		found += countOf(changed)
	}
	for _, a := range m.annotationsOf[t.ID] {
		switch {
		case listed[a.id] || a.now.task != t.ID || !a.now.isCounted():
		case a.now.at > from: // made since, or false
			m.markDoubted(t.ID)
		default:
			found++
			m.deleteAnnotation(a, from)
		}
	}
	return found, nil
}

func (m *projectMerge) readData(slot *taskSlot, t event.Task, from uint64) (bool, error) {
	if noData(t) {
		return false, nil
	}
	st := taskVersion(t)
	switch {
	case slot.now.deleted:
		return m.mergeTask(t, from)
	case slot.now.stated && slot.now.at > from:
		if st.hash != slot.now.stamp.hash {
			m.markDoubted(t.ID)
		}
		return m.mergeTask(t, from)
	case slot.now.stated && st.compare(slot.now.stamp) == 0 && bytes.Equal(t.Data, slot.data):
		return false, nil
	}
	return m.setTask(slot, t, st, from), nil
}

func (m *projectMerge) readAnnotation(a event.Annotation, from uint64) (bool, error) {
	slot, err := m.annotation(a.ID)
	if err != nil {
		return false, err
	}
	if fault.On(fault.Tombstone) && slot.now.deleted {
		return false, nil
	}
	if !slot.now.deleted {
		if err := m.noteOrigin(slot, a); err != nil {
			return false, err
		}
	}
	lost, err := m.lacksContent(slot)
	if err != nil {
		return false, err
	}
	st := annotationVersion(a)
	same := slot.now.isCounted() && slot.now.task == a.Task
	switch {
	case lost && slot.now.at > from:
		m.markDoubted(a.Task) // what was heard of it since is not known any more
	case slot.now.stated && slot.now.at > from:
		if !same || st.hash != slot.now.stamp.hash {
			m.markDoubted(a.Task)
		}
		return m.mergeAnnotation(a, from)
	case same && st.compare(slot.now.stamp) == 0 && bytes.Equal(a.Result, m.result(slot)):
		return false, nil
	}
	return m.setAnnotation(slot, a, max(slot.now.at, from))
}
