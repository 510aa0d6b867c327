package learner

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/learner/feature"
	"github.com/hone-ml/hone/learner/model"
)

// question is a control that is learned, with what it is about. It is immutable
// and shared with snapshots.
type question struct {
	control labelstudio.Control
	objects []labelstudio.Object
	labels  []string
	class   map[string]int32
	key     string // equal keys: same labels over the same features
	seed    uint64 // hash of what decides the encoding of a task's data
}

func newQuestion(cfg *labelstudio.Config, c labelstudio.Control) *question {
	q := &question{control: c, objects: cfg.Targets(c), labels: c.LabelNames(), class: map[string]int32{}}
	for i, l := range q.labels {
		q.class[l] = int32(i)
	}
	var objects []string
	for _, o := range q.objects {
		objects = append(objects, o.Key())
	}
	read := strings.Join(objects, " ")
	q.key = c.Key() + " " + read
	q.seed = xxhash.Sum64String(read)
	return q
}

func (q *question) link() model.Link {
	if q.control.Multiple {
		return model.Independent
	}
	return model.Exclusive
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

// encode returns the features of a task, empty when it has no text.
func (q *question) encode(data []byte, e feature.Encoder, c *cache) feature.Vector {
	var d xxhash.Digest
	d.ResetWithSeed(q.seed)
	_, _ = d.Write(data) // never fails
	return c.get(d.Sum64(), func() feature.Vector {
		text, err := q.text(data)
		if err != nil {
			return feature.Vector{}
		}
		return e.Encode(text)
	})
}

// target is the mean of what the annotators said, as shares by class, and how
// many of them said something. Skips, and annotations no person looked at, say
// nothing.
func (q *question) target(t event.TaskState) (shares []model.Share, annotations []event.AnnotationID, unreadable int) {
	sums := make(map[int32]float64)
	for _, a := range t.Annotations {
		if a.Cancelled || a.FromModel {
			continue
		}
		labels, ok, err := q.control.DecodeChoices(a.Result)
		if err != nil {
			unreadable++
		}
		if err != nil || !ok {
			continue
		}
		annotations = append(annotations, a.ID)
		for _, l := range labels {
			if c, known := q.class[l]; known {
				sums[c]++
			}
		}
	}
	for c, n := range sums {
		shares = append(shares, model.Share{Class: c, P: float32(n / float64(len(annotations)))})
	}
	slices.SortFunc(shares, func(a, b model.Share) int { return int(a.Class) - int(b.Class) })
	return shares, annotations, unreadable
}

// head is the online model of one question.
type head struct {
	*question
	model    *model.Model
	progress *progress
	// taught are the annotations behind each example, and sums what it was, so
	// that hearing the same again does nothing.
	taught map[event.TaskID][]event.AnnotationID
	sums   map[event.TaskID]uint64
	tally  tally

	p       []float64
	scratch model.Scratch
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

func newHead(q *question, s model.Settings, t tally) *head {
	return &head{
		question: q, tally: t, model: model.New(len(q.labels), q.link(), s), progress: new(progress),
		taught: map[event.TaskID][]event.AnnotationID{}, sums: map[event.TaskID]uint64{},
		p: make([]float64, len(q.labels)),
	}
}

// change is what learning a task did.
type change struct {
	learned, forgotten bool
	unreadable         int
}

// learn makes the head know of the task what its state says: an example, or
// nothing. duals, when not nil, are where a former run ended. With test, a task
// that is new to the head first tests it.
func (h *head) learn(t event.TaskState, x feature.Vector, duals []float32, test bool) (change, error) {
	shares, annotations, unreadable := h.target(t)
	ch := change{unreadable: unreadable}
	if t.Deleted || len(annotations) == 0 || x.Empty() {
		ch.forgotten = h.forget(t.Task.ID)
		return ch, nil
	}
	sum := fingerprint(shares, t.Task.Data)
	h.tally.add(annotations, 1)
	h.tally.add(h.taught[t.Task.ID], -1)
	h.taught[t.Task.ID] = annotations
	if old, ok := h.sums[t.Task.ID]; ok && old == sum {
		return ch, nil
	}
	e := model.Example{ID: int64(t.Task.ID), X: x, Target: shares, Weight: 1}
	if test && !h.model.Has(e.ID) && h.model.Len() > 0 {
		h.test(e)
	}
	ch.learned = true
	h.sums[t.Task.ID] = sum
	if duals != nil {
		return ch, h.model.Resume(e, duals)
	}
	return ch, h.model.Put(e)
}

func (h *head) forget(id event.TaskID) bool {
	h.tally.add(h.taught[id], -1)
	delete(h.taught, id)
	delete(h.sums, id)
	return h.model.Remove(int64(id))
}

func fingerprint(shares []model.Share, data []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	var b [8]byte
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

// test predicts an example before it is learned.
func (h *head) test(e model.Example) {
	h.model.Predict(e.X, nil, h.p, &h.scratch)
	truth, loss := h.judge(e.Target, h.p)
	h.progress.add(truth, h.choose(h.p), loss)
}

// choose is the labels a head with these probabilities gives: the likeliest, or
// with multiple choice all that are likelier than not.
func (q *question) choose(p []float64) []string {
	if !q.control.Multiple {
		return []string{q.labels[top(p)]}
	}
	var said []string
	for y, v := range p {
		if v >= 0.5 {
			said = append(said, q.labels[y])
		}
	}
	return said
}

// judge is the truth as labels, by majority, and the log-loss of p.
func (q *question) judge(target []model.Share, p []float64) (truth []string, loss float64) {
	if !q.control.Multiple {
		best := target[0]
		for _, s := range target {
			if s.P > best.P {
				best = s
			}
			loss -= float64(s.P) * math.Log(max(p[s.Class], 1e-12))
		}
		return []string{q.labels[best.Class]}, loss
	}
	shares := make([]float64, len(p))
	for _, s := range target {
		shares[s.Class] = float64(s.P)
	}
	for y, s := range shares {
		loss -= s*math.Log(max(p[y], 1e-12)) + (1-s)*math.Log(max(1-p[y], 1e-12))
		if s >= 0.5 {
			truth = append(truth, q.labels[y])
		}
	}
	return truth, loss
}

func top(p []float64) int {
	best := 0
	for y := range p {
		if p[y] > p[best] {
			best = y
		}
	}
	return best
}
