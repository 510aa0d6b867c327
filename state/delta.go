package state

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/hone-ml/hone/event"
)

// task returns a task's slot, reading what is stored of it the first time.
func (m *projectMerge) task(id event.TaskID) (*taskSlot, error) {
	if slot, ok := m.tasks[id]; ok {
		return slot, nil
	}
	slot := &taskSlot{id: id}
	if m.b != nil {
		key := idKey(id)
		if v := m.b.tombstones.Get(key); v != nil {
			at, err := decodeTombstone(id, v)
			if err != nil {
				return nil, err
			}
			slot.before = taskFact{deleted: true, at: at}
		} else if v := m.b.tasks.Get(key); v != nil {
			t, st, at, err := decodeTask(id, v)
			if err != nil {
				return nil, err
			}
			slot.before = taskFact{stated: true, stamp: st, at: at}
			slot.data = t.Data
		}
	}
	slot.now = slot.before
	m.tasks[id] = slot
	return slot, nil
}

// annotation returns an annotation's slot, reading its register the first time.
func (m *projectMerge) annotation(id event.AnnotationID) (*annSlot, error) {
	if slot, ok := m.anns[id]; ok {
		return slot, nil
	}
	slot := &annSlot{id: id}
	if m.b != nil {
		if v := m.b.annotations.Get(idKey(id)); v != nil {
			r, err := decodeRef(id, v)
			if err != nil {
				return nil, err
			}
			slot.before = annFact{annotationRef: r, stated: true}
			if !r.deleted {
				record := m.b.results.Get(resultKey(r.task, id))
				slot.before.bare = record == nil
				slot.before.fromModel, slot.before.suggested, slot.before.untimed = originOf(record)
				m.annotationsOf[r.task] = append(m.annotationsOf[r.task], slot)
			}
		}
	}
	slot.now = slot.before
	m.anns[id] = slot
	return slot, nil
}

// loadAnnotations makes slots of the annotations stored on a task.
func (m *projectMerge) loadAnnotations(id event.TaskID) error {
	if m.b == nil {
		return nil
	}
	return forRange(m.b.results, idKey(id), func(k, _ []byte) error {
		_, err := m.annotation(idOf[event.AnnotationID](k[8:]))
		return err
	})
}

// differsFrom reports whether the content of an annotation that counts is another than it
// was. That Label Studio forgot the prediction it was made from is no difference.
func (a *annSlot) differsFrom(was annFact) bool {
	if was.task != a.now.task || was.unattended() != a.now.unattended() {
		return true
	}
	if was.fromModel != a.now.fromModel && a.statement != nil {
		alike := *a.statement
		alike.FromModel = was.fromModel
		return annotationVersion(alike).hash != was.stamp.hash
	}
	return was.stamp.hash != a.now.stamp.hash
}

// noteOrigin notes that an annotation was made from a prediction, whether or not the
// statement that says so stands. So the order of statements does not matter. On another
// task it is another annotation: Label Studio was restored, and gave the id again.
func (m *projectMerge) noteOrigin(slot *annSlot, a event.Annotation) error {
	if slot.now.suggested || !a.Suggested && !a.FromModel || slot.now.stated && slot.now.task != a.Task {
		return nil
	}
	slot.now.suggested = true
	if !slot.now.isCounted() {
		return nil
	}
	var stands event.Annotation
	if slot.statement != nil {
		stands = *slot.statement
	} else {
		key := resultKey(slot.now.task, slot.id)
		var err error
		if stands, err = decodeAnnotation(key, m.b.results.Get(key)); err != nil {
			return err
		}
	}
	stands.Suggested = true
	slot.statement = &stands
	return nil
}

// result returns the bytes of an annotation's current result.
func (m *projectMerge) result(a *annSlot) []byte {
	if a.statement != nil {
		return a.statement.Result
	}
	if v := m.b.results.Get(resultKey(a.now.task, a.id)); len(v) > annotationHead {
		return v[annotationHead:]
	}
	return nil
}

// buildDelta returns what the batch changed.
func (m *projectMerge) buildDelta() (event.Delta, error) {
	d := event.Delta{
		Meta: m.meta, New: m.isNew, Duplicates: m.duplicates,
		ConfigChanged: m.meta.LabelConfig != m.before.LabelConfig,
		Doubts:        event.Doubts{Project: m.doubtProject, Tasks: slices.Sorted(maps.Keys(m.doubts))},
	}
	touched := make(map[event.TaskID]bool)
	// The order of ids makes a delta a function of its batch, byte for byte.
	annIDs := slices.Sorted(maps.Keys(m.anns))
	for _, id := range annIDs {
		a := m.anns[id]
		was, is := a.before.isCounted(), a.now.isCounted()
		changed := was != is || is && a.differsFrom(a.before)
		if changed {
			d.Annotations++
		}
		if changed || is && a.before.suggested != a.now.suggested {
			if was {
				touched[a.before.task] = true
			}
			if is {
				touched[a.now.task] = true
			}
		}
		if a.now.deleted && !a.before.deleted {
			d.Bookkeeping.DeletedAnnotations = append(d.Bookkeeping.DeletedAnnotations, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.tasks)) {
		switch t := m.tasks[id]; {
		case t.now.deleted:
			if t.before.stated {
				touched[id] = true
			} else if !t.before.deleted && !touched[id] {
				d.Bookkeeping.DeletedTasks = append(d.Bookkeeping.DeletedTasks, id)
			}
		case t.before.deleted, t.now.stated && (!t.before.stated || t.before.stamp.hash != t.now.stamp.hash):
			touched[id] = true
		case t.restated && !touched[id]:
			d.Bookkeeping.Tasks = append(d.Bookkeeping.Tasks, m.taskOf(t))
		}
	}
	for _, id := range annIDs {
		if a := m.anns[id]; a.statement != nil && (!a.now.isCounted() || !touched[a.now.task]) {
			d.Bookkeeping.Annotations = append(d.Bookkeeping.Annotations, *a.statement)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		ts, err := m.taskState(id)
		if err != nil {
			return d, err
		}
		d.Tasks = append(d.Tasks, ts)
	}
	d.Heard = m.heard()
	return d, nil
}

// heard returns the positions at which the things that the delta writes were last stated,
// and of those that were stated again without effect.
func (m *projectMerge) heard() (h event.Heard) {
	for id, t := range m.tasks {
		if t.now.at > 0 {
			if h.Tasks == nil {
				h.Tasks = make(map[event.TaskID]uint64, len(m.tasks))
			}
			h.Tasks[id] = t.now.at
		}
	}
	for id, a := range m.anns {
		if a.now.at > 0 {
			if h.Annotations == nil {
				h.Annotations = make(map[event.AnnotationID]uint64, len(m.anns))
			}
			h.Annotations[id] = a.now.at
		}
	}
	return h
}

func (m *projectMerge) taskOf(t *taskSlot) event.Task {
	out := event.Task{ID: t.id}
	if t.now.stated {
		out.UpdatedAt = t.now.stamp.at
		out.Data = bytes.Clone(t.data) // may belong to the transaction
	}
	return out
}

// taskState returns a changed task with all of its annotations.
func (m *projectMerge) taskState(id event.TaskID) (event.TaskState, error) {
	slot, err := m.task(id)
	if err != nil {
		return event.TaskState{}, err
	}
	if slot.now.deleted {
		return event.TaskState{Task: event.Task{ID: id}, Deleted: true}, nil
	}
	ts := event.TaskState{Task: m.taskOf(slot)}
	if err := m.loadAnnotations(id); err != nil {
		return event.TaskState{}, err
	}
	for _, a := range m.annotationsOf[id] {
		if a.now.task != id || !a.now.isCounted() {
			continue
		}
		if a.statement != nil {
			ts.Annotations = append(ts.Annotations, *a.statement)
			continue
		}
		key := resultKey(id, a.id)
		stored, err := decodeAnnotation(key, m.b.results.Get(key))
		if err != nil {
			return event.TaskState{}, err
		}
		ts.Annotations = append(ts.Annotations, stored)
	}
	slices.SortFunc(ts.Annotations, func(a, b event.Annotation) int { return cmp.Compare(a.ID, b.ID) })
	// An annotation that left and came back is listed twice.
	ts.Annotations = slices.CompactFunc(ts.Annotations, func(a, b event.Annotation) bool { return a.ID == b.ID })
	return ts, nil
}
