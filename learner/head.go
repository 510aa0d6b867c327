package learner

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// question is a control that is learned, with what it is about. It is immutable
// and shared with snapshots.
type question struct {
	kind    kind
	control labelstudio.Control
	objects []labelstudio.Object
	labels  []string
	class   map[string]int32
	key     string // equal keys: same labels over the same features
	seed    uint64 // hash of what decides the encoding of a task's data

	// What the encoder adds: the number of dense parts its vectors have, and the
	// first guess that the label names make, nil when they make none.
	dense int
	prior model.Prior
}

func newQuestion(cfg *labelstudio.Config, c labelstudio.Control) *question {
	q := &question{kind: kindOf(c), control: c, objects: cfg.Targets(c), labels: c.LabelNames(), class: map[string]int32{}}
	for i, l := range q.labels {
		q.class[l] = int32(i)
	}
	var objects []string
	for _, o := range q.objects {
		objects = append(objects, o.Key())
	}
	read := strings.Join(objects, " ")
	q.key = c.Key() + " " + read
	if k, ok := q.kind.(featureSpace); ok {
		read = k.reads() + " " + read // otherwise than other kinds
	}
	q.seed = xxhash.Sum64String(read)
	return q
}

// text is what the annotator read; several objects are joined.
func (q *question) text(data []byte) (string, error) {
	var texts []string
	var errs []error
	for _, o := range q.objects {
		t, err := o.Text(data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		texts = append(texts, t)
	}
	if len(texts) == 0 {
		return "", errors.Join(errs...)
	}
	return strings.Join(texts, "\n"), nil
}

// lesson is what the annotators of a task said of a question.
type lesson struct {
	// target is empty when they said "none of them"; with no annotations it means
	// nothing.
	target      []model.Share
	annotations []event.AnnotationID // those that said something
	// unreadable counts those that could not be read, reason is why the last one.
	unreadable int
	reason     string
}

// mean is what the annotators of a task said on average, as shares by class,
// given what each says. Skips, and annotations no person looked at, say nothing.
func (q *question) mean(t event.TaskState, read func(result json.RawMessage) (said []model.Share, ok bool, err error)) lesson {
	var l lesson
	sums := make(map[int32]float64)
	for _, a := range t.Annotations {
		if a.Cancelled || a.FromModel {
			continue
		}
		said, ok, err := read(a.Result)
		if err != nil {
			l.unreadable++
			l.reason = fmt.Sprintf("annotation %d: %v", a.ID, err)
		}
		if err != nil || !ok {
			continue
		}
		l.annotations = append(l.annotations, a.ID)
		for _, s := range said {
			sums[s.Class] += float64(s.P)
		}
	}
	for c, n := range sums {
		l.target = append(l.target, model.Share{Class: c, P: float32(n / float64(len(l.annotations)))})
	}
	slices.SortFunc(l.target, func(a, b model.Share) int { return int(a.Class) - int(b.Class) })
	return l
}

// head is the online model of one question.
type head struct {
	*question
	model    trainer
	progress *score.Prequential
	// taught are the annotations behind each example, and sums what it was, so
	// that hearing the same again does nothing.
	taught map[event.TaskID][]event.AnnotationID
	sums   map[event.TaskID]uint64
	tally  tally
	// incomplete are the examples of which vectors are still to come.
	incomplete map[event.TaskID]struct{}

	// choice is where the settings come from; horizon is the highest first annotation
	// id among the examples it was made of, and stale is true when one of those may
	// be another now.
	choice  choice
	horizon event.AnnotationID
	stale   bool
}

// tally counts the heads that learned from each annotation of a project.
type tally map[event.AnnotationID]int

func (t tally) add(ids []event.AnnotationID, by int) {
	for _, id := range ids {
		if t[id] += by; t[id] == 0 {
			delete(t, id)
		}
	}
}

// newHead is a head that knows nothing, with the default settings.
func newHead(q *question, t tally) *head {
	return &head{
		question: q, tally: t, model: q.kind.newModel(q, defaults(q)), progress: new(score.Prequential),
		choice: choice{Settings: defaults(q)}, stale: true, taught: map[event.TaskID][]event.AnnotationID{}, sums: map[event.TaskID]uint64{},
		incomplete: map[event.TaskID]struct{}{},
	}
}

// change is what learning a task did.
type change struct {
	learned, forgotten, refused bool
	unreadable                  int
	reason                      string // of what was unreadable
}

// learn makes the head know of the task what its state says: an example, or
// nothing. duals, when not nil, are where a former run ended. With test, a task
// that is new to the head first tests it.
func (h *head) learn(t event.TaskState, x vector.Vector, duals []float32, test bool) (change, error) {
	said := h.kind.lesson(h.question, t)
	ch := change{unreadable: said.unreadable, reason: said.reason}
	if t.Deleted || len(said.annotations) == 0 || x.Empty() {
		ch.forgotten = h.forget(t.Task.ID)
		return ch, nil
	}
	sum := fingerprint(said.target, x, t.Task.Data)
	h.tally.add(said.annotations, 1)
	h.tally.add(h.taught[t.Task.ID], -1)
	h.touch(t.Task.ID)
	h.taught[t.Task.ID] = said.annotations
	h.touch(t.Task.ID)
	if old, ok := h.sums[t.Task.ID]; ok && old == sum {
		return ch, nil
	}
	e := model.Example{ID: int64(t.Task.ID), X: x, Target: said.target, Weight: 1}
	if test && !h.model.Has(e.ID) && h.model.Len() > 0 {
		h.kind.score(h.question, h.model, e, h.progress)
	}
	ch.learned = true
	h.sums[t.Task.ID] = sum
	if duals != nil {
		return ch, h.model.Resume(e, duals)
	}
	return ch, h.model.Put(e)
}

// markComplete notes whether vectors of an example are still to come.
func (h *head) markComplete(id event.TaskID, complete bool) {
	_, was := h.incomplete[id]
	_, learned := h.sums[id]
	switch {
	case learned && !complete:
		h.incomplete[id] = struct{}{}
	case was:
		delete(h.incomplete, id)
		h.touch(id) // a choice may have waited for it
	}
}

func (h *head) forget(id event.TaskID) bool {
	h.touch(id)
	h.tally.add(h.taught[id], -1)
	delete(h.taught, id)
	delete(h.sums, id)
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
