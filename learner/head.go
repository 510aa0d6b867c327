package learner

import (
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/learner/stored"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/vector"
)

// onlineHead is the model of one control, which learns task by task.
type onlineHead struct {
	*head.Spec
	encoder  string // the name of that of the examples
	model    head.Incremental
	progress *score.Prequential
	// annotationsByTask holds the annotations behind each example, and fingerprints a hash
	// of the example: learning the same example again does nothing.
	annotationsByTask map[event.TaskID][]event.AnnotationID
	fingerprints      map[event.TaskID]uint64
	// labelSums holds a hash of answer and data of each example, whatever its features.
	labelSums      map[event.TaskID]uint64
	annotationRefs annotationRefs
	// incomplete holds the examples that lack vectors, and the slow encoders of these.
	incomplete map[event.TaskID]features.EncoderSet

	// selection holds the settings and what they were chosen from. newestUsed is the highest
	// first annotation id among those examples. dirty is true when one of these examples
	// may have changed since.
	selection  tune.Selection
	newestUsed event.AnnotationID
	dirty      bool
	// adaptedSize, newestAdapted and relabelled are the like for the labels that an encoder was
	// last going to adapt to.
	adaptedSize   int
	newestAdapted event.AnnotationID
	relabelled    bool
}

// annotationRefs counts for each annotation of a project the heads that learned from it.
type annotationRefs map[event.AnnotationID]int

func (t annotationRefs) add(ids []event.AnnotationID, by int) {
	for _, id := range ids {
		if t[id] += by; t[id] == 0 {
			delete(t, id)
		}
	}
}

// newHead returns a head without examples that has the default settings.
func newHead(q *head.Spec, t annotationRefs) *onlineHead {
	return &onlineHead{
		Spec: q, annotationRefs: t, model: q.Kind.NewModel(q, tune.Defaults(q)), progress: new(score.Prequential),
		selection: tune.Selection{Settings: tune.Defaults(q)}, dirty: true, relabelled: true, annotationsByTask: map[event.TaskID][]event.AnnotationID{}, fingerprints: map[event.TaskID]uint64{}, labelSums: map[event.TaskID]uint64{},
		incomplete: map[event.TaskID]features.EncoderSet{},
	}
}

// learnResult says what learning a task changed.
type learnResult struct {
	learned, forgotten, refused bool
	unreadable                  int
	reason                      string // why annotations were unreadable
}

// learn adds the task as an example, replaces its example, or removes it when the state has no
// answer for the control. Unless nil, duals are those of an earlier run. If test is set, a
// task that is new to the head is predicted first and the prediction is scored.
func (h *onlineHead) learn(t event.TaskState, x vector.Vector, duals []float32, test bool) (learnResult, error) {
	answer := h.Kind.Aggregate(h.Spec, t)
	ch := learnResult{unreadable: answer.Unreadable, reason: answer.Reason}
	if t.Deleted || len(answer.Annotations) == 0 || x.Empty() {
		ch.forgotten = h.forget(t.Task.ID)
		return ch, nil
	}
	sum := stored.Fingerprint(answer.Target, x, t.Task.Data)
	h.annotationRefs.add(answer.Annotations, 1)
	h.annotationRefs.add(h.annotationsByTask[t.Task.ID], -1)
	h.markDirty(t.Task.ID)
	h.annotationsByTask[t.Task.ID] = answer.Annotations
	h.markDirty(t.Task.ID)
	if old, ok := h.fingerprints[t.Task.ID]; ok && old == sum {
		return ch, nil
	}
	e := model.Example{ID: int64(t.Task.ID), X: x, Target: answer.Target, Weight: 1}
	if test && !h.model.Has(e.ID) && h.model.Len() > 0 {
		h.Kind.Score(h.Spec, h.model, e, h.progress)
	}
	ch.learned = true
	h.fingerprints[t.Task.ID] = sum
	h.labelSums[t.Task.ID] = stored.Fingerprint(answer.Target, vector.Vector{}, t.Task.Data)
	if duals != nil {
		return ch, h.model.UpsertWarm(e, duals)
	}
	return ch, h.model.Upsert(e)
}

// markMissing records the slow encoders whose vectors an example lacks.
func (h *onlineHead) markMissing(id event.TaskID, missing features.EncoderSet) {
	_, was := h.incomplete[id]
	_, learned := h.fingerprints[id]
	switch {
	case learned && missing != 0:
		h.incomplete[id] = missing
	case was:
		delete(h.incomplete, id)
		h.markDirty(id) // a selection may have waited for it
	}
}

func (h *onlineHead) forget(id event.TaskID) bool {
	h.markDirty(id)
	h.annotationRefs.add(h.annotationsByTask[id], -1)
	delete(h.annotationsByTask, id)
	delete(h.fingerprints, id)
	delete(h.labelSums, id)
	delete(h.incomplete, id)
	return h.model.Remove(int64(id))
}
