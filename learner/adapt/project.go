package adapt

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
)

// Options are what it takes to adapt a slow encoder to the labels of each project.
type Options struct {
	// Base is the name of the encoder that is adapted: a project that does not read it does not
	// adapt. "" stands for any.
	Base    string
	Encoder *encode.Adapters
	Trainer encode.Trainer
	Store   Store
	// Sample is the number of tasks of a project from which on not all of them get adapted
	// vectors, but those with annotations, those that are asked next, and a sample of at most
	// this size; DefaultSample if 0.
	Sample int
}

// DefaultSample is the default of Options.Sample: to make the vectors of so many short texts takes a bit
// more than a minute of a core.
const DefaultSample = 20_000

// Store keeps what trainers return. It must be safe for concurrent use.
type Store interface {
	// Adapter returns an adapter of a project, nil when there is none of that name.
	Adapter(ctx context.Context, p event.ProjectID, name string) ([]byte, error)
	// PutAdapter stores an adapter durably.
	PutAdapter(ctx context.Context, p event.ProjectID, name string, adapter []byte) error
	// RetainAdapters deletes all adapters of a project but those named.
	RetainAdapters(ctx context.Context, p event.ProjectID, names ...string) error
}

// Adaptation is what an encoder was adapted to: the labels that the settings of a head are chosen
// from, and what came of it. It is stored with the project. It does not change.
type Adaptation struct {
	// Adapter is the name of the adapter: a hash of the project and its weights.
	Adapter string `json:"adapter"`
	Control string `json:"control"`
	// At is when it was trained.
	At time.Time `json:"at"`
	// Labels is how many labels it has learned from, and Fingerprint hashes them.
	Labels      int    `json:"labels"`
	Fingerprint uint64 `json:"sum"`
	// Settings are those of the model with the adapted part.
	Settings model.Settings `json:"settings"`
	// Trainer names how it was trained.
	Trainer string `json:"trainer"`
	// Accuracy is the cross-validated accuracy with the adapted part, Without that of the same
	// settings without it.
	Accuracy float64 `json:"accuracy"`
	Without  float64 `json:"without"`

	// heldOut are predictions of the labels by encoders that had not learned from them. They
	// are stored beside the weights.
	heldOut map[event.TaskID]event.HeldOut
}

// stored is what is stored under the name of an adapter.
type stored struct {
	Weights []byte          `json:"weights"`
	HeldOut []event.HeldOut `json:"held_out"`
}

// index sets heldOut.
func (a *Adaptation) index(of []event.HeldOut) {
	a.heldOut = make(map[event.TaskID]event.HeldOut, len(of))
	for _, x := range of {
		a.heldOut[x.Task] = x
	}
}

// HeldOut returns how a task was predicted that trained the adapter, by an encoder and a model that had not
// learned from it. ok is false for any other task.
func (a *Adaptation) HeldOut(id event.TaskID) (x event.HeldOut, ok bool) {
	x, ok = a.heldOut[id]
	return x, ok
}

// Selection is that of the head, as if its settings had been chosen without an adapter.
func (a *Adaptation) Selection() tune.Selection {
	return tune.Selection{Settings: a.Settings, Size: a.Labels, Fingerprint: a.Fingerprint, Adapter: a.Adapter}
}

// SelectionFor returns the selection of any head of a project that goes by the adapter: that which came with
// it, or for another head and where settings are pinned the head's own, with the weight that an adapted part
// has by default. a may be nil.
func (a *Adaptation) SelectionFor(q *head.Spec, own tune.Selection) tune.Selection {
	switch {
	case a.Of(q) && !own.Pinned:
		return a.Selection()
	case own.Pinned || own.Size > 0 && own.Adapter == "":
		own.Settings = tune.Fit(q, own.Settings)
		return own
	}
	return tune.Selection{Settings: tune.Defaults(q)}
}

// Fingerprint hashes what an encoder adapts to: the labels of some tasks, of which sums has a hash each, and
// what says what labels mean. encoder says which encoder, and how it adapts.
func Fingerprint(q *head.Spec, encoder string, tasks []event.TaskID, sums map[event.TaskID]uint64) uint64 {
	d := xxhash.New()
	_, _ = d.WriteString(q.Key + "\x00" + encoder)
	for class := range q.Labels {
		for _, t := range q.LabelTexts(class) {
			_, _ = d.WriteString("\x00" + t)
		}
	}
	tune.HashTasks(d, tasks, sums)
	return d.Sum64()
}

// Of reports whether a head is one whose labels the adapter has learned from, maybe under other labels.
func (a *Adaptation) Of(q *head.Spec) bool {
	return a != nil && a.Control == q.Control.Name && Adaptable(q)
}

// Adaptable reports whether an encoder can adapt to the labels of a head: one that chooses one label
// of several.
func Adaptable(q *head.Spec) bool {
	_, probable := q.Kind.(head.Probable)
	return probable && tune.Tunable(q) && q.Link() == model.Exclusive && len(q.Labels) > 1
}

// Train trains an adapter on tasks, the first labels of a project, and stores it. The adaptation lacks the time, and the
// number and the fingerprint of the labels. e is the encoder with the adapter. The errors are those of
// Adapt and of the store.
func (o *Options) Train(ctx context.Context, p event.ProjectID, q *head.Spec, base encode.Encoder, tasks []event.TaskState, cores chan struct{}) (a *Adaptation, e encode.BatchEncoder, err error) {
	var examples []Example
	for _, t := range tasks {
		if answer := q.Kind.Aggregate(q, t); !t.Deleted && len(answer.Annotations) > 0 {
			examples = append(examples, Example{Example: model.Example{ID: int64(t.Task.ID), Target: answer.Target, Weight: 1}, Data: t.Task.Data})
		}
	}
	r, err := Adapt(ctx, q, base, examples, o.Trainer, cores)
	if err != nil {
		return nil, nil, err
	}
	a = &Adaptation{
		Adapter: adapterName(p, r.Adapter), Control: q.Control.Name, Settings: r.Settings,
		Trainer: o.Trainer.Name(), Accuracy: r.Accuracy, Without: r.Without,
	}
	a.index(r.HeldOut)
	b, err := json.Marshal(stored{r.Adapter, r.HeldOut})
	if err == nil {
		err = o.Store.PutAdapter(ctx, p, a.Adapter, b)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("store the adapter: %w", err)
	}
	return a, r.Encoder, nil
}

// Open adds the encoder of a project's adapter to Encoder. The errors are the store's, and those of
// weights that are missing or damaged.
func (o *Options) Open(ctx context.Context, p event.ProjectID, a *Adaptation) error {
	b, err := o.Store.Adapter(ctx, p, a.Adapter)
	if err != nil {
		return err
	}
	if b == nil {
		return errors.New("it is not stored")
	}
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	e, err := o.Trainer.Adapted(s.Weights)
	if err != nil {
		return err
	}
	a.index(s.HeldOut)
	o.Encoder.Put(a.Adapter, e)
	return nil
}

// adapterName returns the name of an adapter. It is the project's own, since projects with equal labels
// have equal weights, and one of them may drop its adapter before the other.
func adapterName(id event.ProjectID, weights []byte) string {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, uint64(id)), weights...)) //nolint:gosec // any bits do
	return hex.EncodeToString(sum[:8])
}
