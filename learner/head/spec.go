package head

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
)

// Spec is a control that is learned, with what it is about. It is immutable
// and shared with snapshots.
type Spec struct {
	Kind    Kind
	Answer  Answer
	Control labelconfig.Control
	Labels  []string
	ID      string // the front of the ids of what it suggests
	Key     string // equal keys: same labels over the same features
	Seed    uint64 // hash of what decides the encoding of a task's data

	// What the encoder adds: the number of dense parts its vectors have, and the
	// first guess that the label names make, nil when they make none.
	Dense int
	Prior model.Prior

	objects []labelconfig.Object
	class   map[string]int32 // by label
}

// NewSpec makes the Spec of a control whose outcome is Learned.
func NewSpec(d Decision) *Spec {
	c := d.Control
	q := &Spec{Kind: d.Kind, Answer: d.Answer, Control: c, objects: d.Objects, Labels: c.LabelNames(), ID: regions.ID(c.Name), class: map[string]int32{}}
	for i, l := range q.Labels {
		q.class[l] = int32(i)
	}
	var objects []string
	for _, o := range q.objects {
		objects = append(objects, o.Key())
	}
	read := strings.Join(objects, " ")
	q.Key = c.Key() + " " + read
	if k, ok := q.Kind.(FeatureSpace); ok {
		read = k.Reads() + " " + read // otherwise than other kinds
	}
	q.Seed = xxhash.Sum64String(read)
	return q
}

// text is what the annotator read; several objects are joined.
func (q *Spec) text(data []byte) (string, error) {
	return content.Joined(q.objects, data)
}

// Aggregate is what the annotators of a task said of a control.
type Aggregate struct {
	// Target is empty when they said "none of them"; with no annotations it means
	// nothing.
	Target      []model.Share
	Annotations []event.AnnotationID // those that said something
	// Unreadable counts those that could not be read, Reason is why the last one.
	Unreadable int
	Reason     string
}

// aggregate is what the annotators of a task said on average, as shares by class,
// given what each says. Skips, and annotations no person looked at, say nothing.
func (q *Spec) aggregate(t event.TaskState, read func(result json.RawMessage) (said []model.Share, ok bool, err error)) Aggregate {
	var l Aggregate
	sums := make(map[int32]float64)
	for _, a := range t.Annotations {
		if a.Cancelled || a.FromModel {
			continue
		}
		said, ok, err := read(a.Result)
		if err != nil {
			l.Unreadable++
			l.Reason = fmt.Sprintf("annotation %d: %v", a.ID, err)
		}
		if err != nil || !ok {
			continue
		}
		l.Annotations = append(l.Annotations, a.ID)
		for _, s := range said {
			sums[s.Class] += float64(s.P)
		}
	}
	for c, n := range sums {
		l.Target = append(l.Target, model.Share{Class: c, P: float32(n / float64(len(l.Annotations)))})
	}
	slices.SortFunc(l.Target, func(a, b model.Share) int { return int(a.Class) - int(b.Class) })
	return l
}
