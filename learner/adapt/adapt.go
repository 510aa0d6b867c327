// Package adapt trains the transformer further on the labels of one head, and finds from the same
// labels how much the result is worth: settings by folds whose held-out labels did not train the
// transformer that encodes them.
package adapt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/vector"
)

// folds is how many further trainings tell what an adapted encoder is worth.
const folds = 3

// minBeyondMajority is how many labels there have to be of other classes than the most frequent one. With
// fewer neither the training nor the folds learn much of these: of 24 labels of spam three are, and an adapter
// costs .05 of macro-F1.
const minBeyondMajority = 8

// ErrTooFewLabels is the error of Adapt for examples that nearly all have one class.
var ErrTooFewLabels = errors.New("too few labels of other classes than the most frequent one")

// Example is a labelled task.
type Example struct {
	model.Example        // its features are not read
	Data          []byte // the task's data
}

// Result is what adapting to examples gives.
type Result struct {
	// Adapter is what was learned from all examples, and Encoder the encoder with it.
	Adapter []byte
	Encoder encode.BatchEncoder
	// Settings are of a model that has the base parts and, as its last part, the encoder's.
	Settings model.Settings
	// HeldOut says how such a model predicts the examples, each by an encoder and a model that
	// have learned from neither it nor the rest of its fold. Texts that trained an encoder look
	// better to it than others do, so nothing else says how accurate the model is.
	HeldOut []event.HeldOut
	// Accuracy is the share of HeldOut that is correct. Without is that of models with the same
	// settings that do not read the adapted part, 0 of no examples.
	Accuracy, Without float64
}

// Adapt trains an encoder on the examples of a head, and chooses the settings of the model that has
// its vectors as one more part. base is the encoder of the other parts, which has all
// vectors. The result is a function of the spec and the examples, in any order. cores has a place
// for each model that is fitted at once. The errors are the trainer's, the encoder's and the
// context's.
func Adapt(ctx context.Context, q *head.Spec, base encode.Encoder, examples []Example, trainer encode.Trainer, cores chan struct{}) (Result, error) {
	var out Result
	examples = slices.Clone(examples)
	slices.SortFunc(examples, func(a, b Example) int { return cmp.Compare(a.ID, b.ID) })
	if beyondMajority(examples) < minBeyondMajority {
		return out, ErrTooFewLabels
	}
	without, err := searchWithout(ctx, q, base, examples, cores)
	if err != nil {
		return out, err
	}
	parts := make([]tune.Fold, folds)
	for f := range parts {
		_, e, err := train(ctx, q, examples, trainer, func(x Example) bool { return tune.FoldOf(x.ID, folds) != f })
		if err != nil {
			return out, fmt.Errorf("fold %d: %w", f, err)
		}
		if parts[f], err = fold(ctx, q, base, examples, e, f); err != nil {
			return out, err
		}
	}
	if out.Adapter, out.Encoder, err = train(ctx, q, examples, trainer, func(Example) bool { return true }); err != nil {
		return out, err
	}
	if out.Settings, err = tune.SearchAdapted(ctx, parts, without, cores); err != nil {
		return out, err
	}
	if out.HeldOut, err = tune.PredictFolds(ctx, parts, out.Settings, cores); err != nil {
		return out, err
	}
	unadapted, err := tune.PredictFolds(ctx, parts, tune.WithoutAdapted(parts[0].Spec, out.Settings), cores)
	out.Accuracy, out.Without = accuracy(out.HeldOut), accuracy(unadapted)
	return out, err
}

// beyondMajority returns how many examples have another class than the most frequent one.
func beyondMajority(examples []Example) int {
	counts, all, most := map[int32]int{}, 0, 0
	for _, x := range examples {
		if class := x.Majority(); class >= 0 {
			counts[class]++
			all++
			most = max(most, counts[class])
		}
	}
	return all - most
}

// searchWithout chooses the settings of a model without the adapted part.
func searchWithout(ctx context.Context, q *head.Spec, base encode.Encoder, examples []Example, cores chan struct{}) (model.Settings, error) {
	q = q.WithEncoder(base)
	plain := make([]model.Example, len(examples))
	for i, x := range examples {
		plain[i] = x.Example
		plain[i].X = q.Kind.Features(q, x.Data, base).Compact()
	}
	return tune.Search(ctx, q, plain, cores, func() {})
}

func accuracy(of []event.HeldOut) float64 {
	if len(of) == 0 {
		return 0
	}
	correct := 0
	for _, x := range of {
		if x.Correct {
			correct++
		}
	}
	return float64(correct) / float64(len(of))
}

// train trains an encoder on those examples that are said, and on what says what each label
// means.
func train(ctx context.Context, q *head.Spec, examples []Example, trainer encode.Trainer, of func(Example) bool) ([]byte, encode.BatchEncoder, error) {
	var texts []encode.LabelledText
	for _, x := range examples {
		class := int(x.Majority())
		if class < 0 || !of(x) {
			continue
		}
		for _, t := range textsOf(q, x.Data) {
			texts = append(texts, encode.LabelledText{Text: t, Class: class})
		}
	}
	if q.Prior != nil {
		for class := range q.Labels {
			for _, t := range q.LabelTexts(class) {
				texts = append(texts, encode.LabelledText{Text: t, Class: class})
			}
		}
	}
	adapter, err := trainer.Train(ctx, texts)
	if err != nil {
		return nil, nil, err
	}
	e, err := trainer.Adapted(adapter)
	return adapter, e, err
}

// fold returns a fold's examples with the features of an encoder that has not learned from its
// Test.
func fold(ctx context.Context, q *head.Spec, base encode.Encoder, examples []Example, adapted encode.BatchEncoder, f int) (tune.Fold, error) {
	e, err := With(ctx, q, base, adapted, examples)
	if err != nil {
		return tune.Fold{}, err
	}
	out := tune.Fold{Spec: q.WithEncoder(e)}
	for _, x := range examples {
		m := x.Example
		m.X = q.Kind.Features(q, x.Data, e).Compact()
		if tune.FoldOf(x.ID, folds) == f {
			out.Test = append(out.Test, m)
		} else {
			out.Train = append(out.Train, m)
		}
	}
	return out, nil
}

// With returns an encoder of the base parts and the adapted one, which has the vectors of the
// examples' texts and of what says what labels mean. Of other texts the adapted part is nil. The
// error is the adapted encoder's.
func With(ctx context.Context, q *head.Spec, base encode.Encoder, adapted encode.BatchEncoder, examples []Example) (encode.Encoder, error) {
	seen := map[string][]float32{}
	var texts []string
	need := func(t string) {
		if _, ok := seen[t]; !ok {
			seen[t], texts = nil, append(texts, t)
		}
	}
	for _, x := range examples {
		for _, t := range textsOf(q, x.Data) {
			need(t)
		}
	}
	for class := range q.Labels {
		for _, t := range q.LabelTexts(class) {
			need(t)
		}
	}
	requests := make([]encode.Request, len(texts))
	for i, t := range texts {
		requests[i] = encode.Request{Text: t}
	}
	packed, err := encode.EncodeRequests(ctx, adapted, requests)
	if err != nil {
		return nil, err
	}
	for i, t := range texts {
		if seen[t], _ = vector.Unpack(packed[i]); seen[t] == nil {
			delete(seen, t)
		}
	}
	return &withAdapted{base, adapted, seen}, nil
}

// withAdapted adds a part that is known for some texts.
type withAdapted struct {
	encode.Encoder
	adapted encode.BatchEncoder
	vectors map[string][]float32
}

func (e *withAdapted) Name() string { return e.Encoder.Name() + "+" + e.adapted.Name() }

// Parts are the kinds of the dense parts.
func (e *withAdapted) Parts() []encode.Part {
	return append(slices.Clone(encode.DenseParts(e.Encoder)), encode.Adapted)
}

func (e *withAdapted) Encode(text string) vector.Vector {
	v := e.Encoder.Encode(text)
	if !v.Empty() {
		v.Dense = append(v.Dense[:len(v.Dense):len(v.Dense)], e.vectors[text])
	}
	return v
}

// textsOf returns the texts that a head reads of a task.
func textsOf(q *head.Spec, data []byte) []string {
	var r recorder
	q.Kind.Features(q, data, &r)
	return r.texts
}

// recorder is an encoder that records the texts it is asked for.
type recorder struct{ texts []string }

func (*recorder) Name() string { return "recorder" }

func (r *recorder) Encode(text string) vector.Vector {
	if text != "" {
		r.texts = append(r.texts, text)
	}
	return vector.Vector{}
}
