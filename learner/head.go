package learner

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/vector"
)

// head is the online model of one question.
type onlineHead struct {
	*head.Spec
	model    head.Incremental
	progress *score.Prequential
	// annotationsByTask are the annotations behind each example, and sums what it was, so
	// that hearing the same again does nothing.
	annotationsByTask map[event.TaskID][]event.AnnotationID
	fingerprints      map[event.TaskID]uint64
	annotationRefs    annotationRefs
	// incomplete are the examples of which vectors are still to come, and of which slow
	// encoders.
	incomplete map[event.TaskID]encoderSet

	// selection is where the settings come from; horizon is the highest first annotation
	// id among the examples it was made of, and stale is true when one of those may
	// be another now.
	selection  tune.Selection
	newestUsed event.AnnotationID
	dirty      bool
}

// annotationRefs counts the heads that learned from each annotation of a project.
type annotationRefs map[event.AnnotationID]int

func (t annotationRefs) add(ids []event.AnnotationID, by int) {
	for _, id := range ids {
		if t[id] += by; t[id] == 0 {
			delete(t, id)
		}
	}
}

// newHead is a head that knows nothing, with the default settings.
func newHead(q *head.Spec, t annotationRefs) *onlineHead {
	return &onlineHead{
		Spec: q, annotationRefs: t, model: q.Kind.NewModel(q, tune.Defaults(q)), progress: new(score.Prequential),
		selection: tune.Selection{Settings: tune.Defaults(q)}, dirty: true, annotationsByTask: map[event.TaskID][]event.AnnotationID{}, fingerprints: map[event.TaskID]uint64{},
		incomplete: map[event.TaskID]encoderSet{},
	}
}

// learnResult is what learning a task did.
type learnResult struct {
	learned, forgotten, refused bool
	unreadable                  int
	reason                      string // of what was unreadable
}

// learn makes the head know of the task what its state says: an example, or
// nothing. duals, when not nil, are where a former run ended. With test, a task
// that is new to the head first tests it.
func (h *onlineHead) learn(t event.TaskState, x vector.Vector, duals []float32, test bool) (learnResult, error) {
	said := h.Kind.Aggregate(h.Spec, t)
	ch := learnResult{unreadable: said.Unreadable, reason: said.Reason}
	if t.Deleted || len(said.Annotations) == 0 || x.Empty() {
		ch.forgotten = h.forget(t.Task.ID)
		return ch, nil
	}
	sum := fingerprint(said.Target, x, t.Task.Data)
	h.annotationRefs.add(said.Annotations, 1)
	h.annotationRefs.add(h.annotationsByTask[t.Task.ID], -1)
	h.markDirty(t.Task.ID)
	h.annotationsByTask[t.Task.ID] = said.Annotations
	h.markDirty(t.Task.ID)
	if old, ok := h.fingerprints[t.Task.ID]; ok && old == sum {
		return ch, nil
	}
	e := model.Example{ID: int64(t.Task.ID), X: x, Target: said.Target, Weight: 1}
	if test && !h.model.Has(e.ID) && h.model.Len() > 0 {
		h.Kind.Score(h.Spec, h.model, e, h.progress)
	}
	ch.learned = true
	h.fingerprints[t.Task.ID] = sum
	if duals != nil {
		return ch, h.model.UpsertWarm(e, duals)
	}
	return ch, h.model.Upsert(e)
}

// markMissing notes of which slow encoders vectors of an example are still to come.
func (h *onlineHead) markMissing(id event.TaskID, missing encoderSet) {
	_, was := h.incomplete[id]
	_, learned := h.fingerprints[id]
	switch {
	case learned && missing != 0:
		h.incomplete[id] = missing
	case was:
		delete(h.incomplete, id)
		h.markDirty(id) // a choice may have waited for it
	}
}

func (h *onlineHead) forget(id event.TaskID) bool {
	h.markDirty(id)
	h.annotationRefs.add(h.annotationsByTask[id], -1)
	delete(h.annotationsByTask, id)
	delete(h.fingerprints, id)
	delete(h.incomplete, id)
	return h.model.Remove(int64(id))
}

// fingerprint is of everything an example is made of. The features are a function
// of the data, but for the parts that may not be there yet.
func fingerprint(shares []model.Share, x vector.Vector, data []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	var b [8]byte
	_, _ = d.Write(presence(b[:0], x))
	for _, s := range shares {
		bits := math.Float32bits(s.P)
		for i := range 4 {
			b[i], b[4+i] = byte(s.Class>>(8*i)), byte(bits>>(8*i))
		}
		_, _ = d.Write(b[:])
	}
	_, _ = d.Write(data)
	return d.Sum64()
}

// presence appends which parts of a vector are there, for no two vectors alike that
// differ in it. Sums of choices that are stored were made with the short form: it stays
// what it is.
func presence(b []byte, x vector.Vector) []byte {
	parts, tokens := x.Parts(), x.TokenParts()
	is := func(has bool) {
		if has {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	if parts < 8 && tokens <= token.ContextPart+1 {
		for i := range 7 {
			is(i < parts && x.HasPart(i))
		}
		is(x.HasTokenPart(token.ContextPart))
		return b
	}
	const long = 2 // begins no short form
	b = append(b, long)
	b = binary.AppendUvarint(b, uint64(parts))
	for i := range parts {
		is(x.HasPart(i))
	}
	b = binary.AppendUvarint(b, uint64(tokens))
	for i := range tokens {
		is(x.HasTokenPart(i))
	}
	return b
}
