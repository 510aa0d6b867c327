package head

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/settings"
)

// Spec is a control that is learned, with the objects it is about. It is immutable
// and shared with snapshots.
type Spec struct {
	Kind    Kind
	Answer  Answer
	Control labelconfig.Control
	Labels  []string
	ID      string // begins the ids of predicted regions
	Key     string // equal for the same labels over the same features
	Seed    uint64 // hash of what the features of a task depend on, beside its data

	// Parts are the kinds of the dense parts of the encoder's vectors. Prior is the mean that
	// the weights are pulled to, made of the label names and of the lines that describe them;
	// nil without one. NamePrior is that of the names alone; nil unless there are lines.
	Parts            []encode.Part
	Prior, NamePrior model.Prior

	objects    []labelconfig.Object
	class      map[string]int32    // by label
	visibility *regions.Visibility // nil when the control is always shown

	learning  settings.Learning
	described settings.Descriptions
	threshold float64         // from which a label is predicted where several may hold
	silent    map[string]bool // labels that are not predicted to people; nil for none
}

// NewSpec returns the spec of a control whose outcome is Learned.
func NewSpec(d Decision) *Spec {
	c := d.Control
	q := &Spec{
		Kind: d.Kind, Answer: d.Answer, Control: c, objects: d.Objects, Labels: c.LabelNames(),
		ID: regions.ID(c.Name), class: map[string]int32{}, visibility: d.Visibility,
		learning: settings.DefaultLearning(), threshold: settings.DefaultSuggesting().Threshold,
	}
	// Only annotations that show the control are read, and there no answer is one.
	q.Control.Conditional = c.Conditional && !(d.Visibility != nil && c.Revealed())
	for i, l := range q.Labels {
		q.class[l] = int32(i)
	}
	var objects []string
	for _, o := range q.objects {
		objects = append(objects, o.Key())
	}
	read := strings.Join(objects, " ")
	q.Key = c.Key() + " " + read
	if d.Visibility != nil {
		q.Key += " " + d.Visibility.Key(c.Name)
	}
	if k, ok := q.Kind.(FeatureSpace); ok {
		read = k.Reads() + " " + read
	}
	q.Seed = xxhash.Sum64String(read)
	return q
}

// WithSettings returns the spec with whose annotations it learns from, when it predicts a
// label, and what its labels mean. The features, the key and the prior stay: WithEncoder makes
// the prior of other descriptions.
func (q *Spec) WithSettings(v settings.Values) *Spec {
	out := *q
	out.learning, out.threshold = v.Learning, v.Suggesting.Threshold
	out.described = settings.Descriptions{}
	if _, reads := q.Kind.(LabelPrior); reads {
		out.described = v.Descriptions
	}
	return &out
}

// WithSilent returns the spec with labels that its Predictor does not predict. What it
// learns and how sure it is stay as they are.
func (q *Spec) WithSilent(labels map[string]bool) *Spec {
	if len(labels) == 0 && q.silent == nil {
		return q
	}
	out := *q
	out.silent = labels
	return &out
}

// spoken returns those of some labels that are not silent.
func (q *Spec) spoken(labels []string) []string {
	if len(q.silent) == 0 {
		return labels
	}
	return slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return q.silent[l] })
}

// text returns the text that the annotator read, of several objects joined by newlines.
// The error says why no object has one.
func (q *Spec) text(data []byte) (string, error) {
	return content.Joined(q.objects, data)
}

// Aggregate is the mean answer of the annotators of a task.
type Aggregate struct {
	// Target is empty when the answer is "none of them". Without annotations it means
	// nothing.
	Target      []model.Share
	Annotations []event.AnnotationID // those that have an answer
	// Unreadable counts annotations that could not be read. Reason says why, of the last.
	Unreadable int
	Reason     string
}

// shown reports whether the annotator who gave a result saw the control. What cannot be
// read is left to whoever reads the answer.
func (q *Spec) shown(result json.RawMessage) bool {
	if q.visibility == nil {
		return true
	}
	answers, err := regions.Decode(result)
	return err != nil || q.visibility.Shown(q.Control.Name, answers)
}

// aggregate returns the mean answer of a task's annotators, as shares by class. read
// returns the answer of one; ok is false if it has none. Annotations that the settings do
// not take, those that no person looked at, and those whose annotator did not see the
// control, have none.
func (q *Spec) aggregate(t event.TaskState, read func(result json.RawMessage) (shares []model.Share, ok bool, err error)) Aggregate {
	var l Aggregate
	sums := make(map[int32]float64)
	for _, a := range t.Annotations {
		if !q.learning.Takes(a) || !q.shown(a.Result) {
			continue
		}
		shares, ok, err := read(a.Result)
		if err != nil {
			l.Unreadable++
			l.Reason = fmt.Sprintf("annotation %d: %v", a.ID, err)
		}
		if err != nil || !ok {
			continue
		}
		l.Annotations = append(l.Annotations, a.ID)
		for _, s := range shares {
			sums[s.Class] += float64(s.P)
		}
	}
	for c, n := range sums {
		l.Target = append(l.Target, model.Share{Class: c, P: float32(n / float64(len(l.Annotations)))})
	}
	slices.SortFunc(l.Target, func(a, b model.Share) int { return int(a.Class) - int(b.Class) })
	return l
}
