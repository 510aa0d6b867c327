package main

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/vector"
)

// open opens the encoder and makes the vectors of all texts and label names, or reads them from
// the folder.
func (o *options) open(ctx context.Context, name string, all []set) (encode.Encoder, error) {
	named, err := encoders.Open(o.encoder, encoders.Options{})
	if err != nil {
		return nil, err
	}
	if o.trainer = encoders.TrainerOf(named); o.adapt && o.trainer == nil {
		return nil, fmt.Errorf("-adapt: the encoder %s has no transformer", o.encoder)
	}
	slow := named.Blocking()
	if slow == nil {
		return named.Fast, nil
	}
	path := filepath.Join(o.vectors, name+".vectors")
	if o.vectors != "" {
		switch f, err := os.Open(path); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			err = slow.Restore(f)
			_ = f.Close()
			if err != nil {
				return nil, fmt.Errorf("%s: %w; delete it", path, err)
			}
		}
	}
	var requests []encode.Request
	for _, s := range all {
		for _, t := range s.texts {
			requests = append(requests, encode.Request{Text: t.Text})
		}
	}
	before := slow.Len()
	if err := slow.Precompute(ctx, requests, nil); err != nil || o.vectors == "" || slow.Len() == before {
		return slow, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return slow, errors.Join(slow.Save(f), f.Close())
}

// spec returns what a Choices control with the set's labels makes of texts.
func (s set) spec(e encode.Encoder) (*head.Spec, error) {
	var b strings.Builder
	b.WriteString(`<View><Text name="t" value="$text"/><Choices name="c" toName="t">`)
	for _, l := range slices.Sorted(slices.Values(s.labels())) {
		b.WriteString(`<Choice value="`)
		if err := xml.EscapeText(&b, []byte(l)); err != nil {
			return nil, err
		}
		b.WriteString(`"/>`)
	}
	b.WriteString(`</Choices></View>`)
	cfg, err := labelconfig.Parse(b.String())
	if err != nil {
		return nil, err
	}
	return head.NewSpec(head.Decide(cfg).Learned()[0]).WithEncoder(e), nil
}

// tolerance is how near to the optimum models are fitted.
const tolerance = 0.1

// measured is a text with its features and the place of its label.
type measured struct {
	x     vector.Vector
	class int32
	data  []byte
}

// measure labels n texts in each order and compares the settings.
func (o *options) measure(ctx context.Context, e encode.Encoder, s set, n int) (*result, error) {
	q, err := s.spec(e)
	if err != nil {
		return nil, err
	}
	all := make([]measured, len(s.texts))
	for i, t := range s.texts {
		data, err := json.Marshal(map[string]string{"text": t.Text})
		if err != nil {
			return nil, err
		}
		class := slices.IndexFunc(q.Control.Labels, func(l labelconfig.Label) bool { return l.Value == t.Label })
		if class < 0 {
			return nil, fmt.Errorf("the label config has no label %q", t.Label)
		}
		all[i] = measured{q.Kind.Features(q, data, e), int32(class), data}
	}
	r := &result{}
	for order := range o.orders {
		rng := rand.New(rand.NewPCG(uint64(order), 7))
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		tested := min(s.tested, len(all)/2)
		trained := min(n, s.trained, len(all)-tested)
		examples := make([]adapt.Example, trained)
		for i, t := range all[tested:][:trained] {
			examples[i] = adapt.Example{Data: t.data, Example: model.Example{ID: int64(i + 1), X: t.x.Compact(), Weight: 1, Target: []model.Share{{Class: t.class, P: 1}}}}
		}
		if err := o.order(ctx, q, e, s.f1, examples, all[:tested], r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// order measures one order: the defaults, the chosen settings, and each cell.
func (o *options) order(ctx context.Context, q *head.Spec, e encode.Encoder, f1 bool, labelled []adapt.Example, test []measured, r *result) error {
	examples := make([]model.Example, len(labelled))
	for i, x := range labelled {
		examples[i] = x.Example
	}
	cells := []model.Settings{tune.Defaults(q)}
	chosen, err := tune.Search(ctx, q, examples, make(chan struct{}, runtime.GOMAXPROCS(0)), func() {})
	if err != nil {
		return err
	}
	cells = append(cells, chosen)
	if o.verbose {
		fmt.Fprintf(os.Stderr, "chosen: %+v\n", chosen)
	}
	if o.grid {
		cells = append(cells, grid(q)...)
	}
	r.cells = cells[2:]
	kernel := model.NewKernel(examples)
	one, other := make([]float64, len(cells)), make([]float64, len(cells))
	g, fitting := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, settings := range cells {
		g.Go(func() error {
			m, err := build(fitting, q, kernel, examples, settings)
			if err != nil {
				return err
			}
			one[i], other[i] = judge(q, m, test[:len(test)/2], f1), judge(q, m, test[len(test)/2:], f1)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	out := outcome{byDefault: other[0], chosen: other[1], one: one[2:], other: other[2:]}
	if o.adapt {
		switch out.adapted, err = o.adapted(ctx, q, e, f1, labelled, slices.Clone(test[len(test)/2:])); {
		case errors.Is(err, adapt.ErrTooFewLabels):
			out.adapted = out.chosen
		case err != nil:
			return err
		}
	}
	r.orders = append(r.orders, out)
	return nil
}

// build returns a model of the examples that was optimized in their kernel.
func build(ctx context.Context, q *head.Spec, k *model.Kernel, examples []model.Example, s model.Settings) (head.Incremental, error) {
	fitted, m := q.Kind.(head.Kernelized).NewModelInKernel(q, k, s), q.Kind.NewModel(q, s)
	for _, e := range examples {
		if err := fitted.Upsert(e); err != nil {
			return nil, err
		}
	}
	fitted.Optimize(ctx, tolerance)
	err := ctx.Err()
	fitted.Duals(func(e model.Example, duals []float32) bool {
		err = cmp.Or(err, m.UpsertWarm(e, duals))
		return err == nil
	})
	m.Optimize(ctx, tolerance) // only what rounding has left
	return m, err
}

// adapted measures a transformer that has adapted to the labels.
func (o *options) adapted(ctx context.Context, q *head.Spec, base encode.Encoder, f1 bool, labelled []adapt.Example, test []measured) (float64, error) {
	result, err := adapt.Adapt(ctx, q, base, labelled, o.trainer, make(chan struct{}, runtime.GOMAXPROCS(0)))
	if err != nil {
		return 0, err
	}
	all := slices.Clone(labelled)
	for _, t := range test {
		all = append(all, adapt.Example{Data: t.data})
	}
	e, err := adapt.With(ctx, q, base, result.Encoder, all)
	if err != nil {
		return 0, err
	}
	q = q.WithEncoder(e)
	examples := make([]model.Example, len(labelled))
	for i, x := range labelled {
		examples[i] = x.Example
		examples[i].X = q.Kind.Features(q, x.Data, e).Compact()
	}
	for i, t := range test {
		test[i].x = q.Kind.Features(q, t.data, e)
	}
	m, err := tune.Build(ctx, q, examples, result.Settings, tolerance, func(float64) {})
	if err != nil {
		return 0, err
	}
	if o.verbose {
		fmt.Fprintf(os.Stderr, "adapted: %+v\n", result.Settings)
	}
	return judge(q, m, test, f1), nil
}

// grid returns the cells that the choice is compared with.
func grid(q *head.Spec) (out []model.Settings) {
	d := tune.Defaults(q)
	middle := len(d.Parts) - 2
	for _, ridge := range []float64{0.25, 1, 4} {
		for _, weight := range []float64{0, 0.5, 1, 2} {
			for _, ngrams := range []float64{0, 0.25, 0.5, 1} {
				for _, trust := range []float64{0, 10, 20} {
					c := d
					c.Ridge *= ridge
					c.Parts, c.Trust = slices.Clone(d.Parts), slices.Clone(d.Trust)
					if middle > 0 {
						c.Parts[middle] = weight
					}
					c.Parts[0] = ngrams
					for i := range c.Trust {
						c.Trust[i] *= trust / d.Trust[len(d.Trust)-1]
					}
					out = append(out, c)
				}
			}
		}
	}
	return out
}

// judge returns the accuracy or the macro-F1 of a model.
func judge(q *head.Spec, m head.Incremental, test []measured, f1 bool) float64 {
	p := q.Kind.Snapshot(q, m)
	probabilities, scratch := make([]float64, p.Classes()), new(head.Scratch)
	right, said, there := make([]float64, p.Classes()), make([]float64, p.Classes()), make([]float64, p.Classes())
	total := 0.0
	for _, t := range test {
		d := p.Estimate(head.Sample{X: t.x}, probabilities, scratch).Classes
		best := 0
		for y := range d.P {
			if d.P[y] > d.P[best] {
				best = y
			}
		}
		said[best]++
		there[t.class]++
		if best == int(t.class) {
			right[best]++
			total++
		}
	}
	if !f1 {
		return total / float64(len(test))
	}
	sum, n := 0.0, 0.0
	for y := range there {
		if there[y] > 0 {
			sum += 2 * right[y] / (said[y] + there[y])
			n++
		}
	}
	return sum / n
}
