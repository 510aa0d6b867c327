package encoders

import (
	"context"
	"encoding"
	"fmt"
	"sync/atomic"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/finetune"
	"github.com/hone-ml/hone/encode/text/minilm"
	"github.com/hone-ml/hone/internal/priority"
)

// ErrNotBuiltIn is the error of Open and NewTrainer for MiniLM in a program without it.
var ErrNotBuiltIn = minilm.ErrNotBuiltIn

// Trainer trains a transformer on labelled texts, on one core and at the lowest priority. It is an
// encode.Trainer.
type Trainer struct {
	base    finetune.Base
	name    string // of base
	adapted func(adapter []byte) (encode.BatchEncoder, error)
	// foreground is work that trainings pause for, nil for none.
	foreground *priority.Foreground
}

// trainable is a slow encoder that can be trained.
type trainable interface{ newTrainer() *Trainer }

// TrainerOf returns what trains the transformer of an encoder, with which it shares the weights;
// nil if the encoder has none.
func TrainerOf(e Encoder) *Trainer {
	for _, slow := range e.Slow {
		if t, ok := slow.(trainable); ok {
			return t.newTrainer()
		}
	}
	return nil
}

// NewTrainer opens an encoder by its name and returns what trains its transformer. The errors are
// those of Open, and that the encoder has none.
func NewTrainer(name string, o Options) (*Trainer, error) {
	e, err := Open(name, o)
	if err != nil {
		return nil, err
	}
	t := TrainerOf(e)
	if t == nil {
		return nil, fmt.Errorf("the encoder %s cannot adapt to labels; %s and %sDIR can", name, MiniLM, BERT)
	}
	return t, nil
}

// AdaptedName is the name under which vectors of encoders are stored that are adapted from one.
func AdaptedName(base string) string { return base + "+adapted/1" }

// PausingFor returns a Trainer whose trainings pause for work in the foreground, between pieces of a few
// milliseconds.
func (t *Trainer) PausingFor(f *priority.Foreground) *Trainer {
	out := *t
	out.foreground = f
	return &out
}

// BaseName is the name of the encoder that is adapted.
func (t *Trainer) BaseName() string { return t.name }

// Name implements encode.Trainer.
func (t *Trainer) Name() string { return finetune.Name }

// Train implements encode.Trainer.
func (t *Trainer) Train(ctx context.Context, texts []encode.LabelledText) ([]byte, error) {
	examples := make([]finetune.Example, len(texts))
	for i, x := range texts {
		examples[i] = finetune.Example(x)
	}
	options := finetune.Options{Workers: 1}
	if t.foreground != nil {
		var g gate
		defer t.foreground.AddBackground(g.shut, g.open)()
		options.Yield = func() { g.wait(ctx) }
	}
	var adapter encoding.BinaryMarshaler
	var err error
	priority.Lowest(func() {
		adapter, err = finetune.Train(ctx, t.base, examples, finetune.DefaultRecipe(len(examples)), options)
	})
	if err != nil {
		return nil, err
	}
	return adapter.MarshalBinary()
}

// gate holds up who waits at it while it is shut. The zero value is open. wait may be called by any number
// of goroutines, shut and open by one, in turns. None of them has a lock, which a thread of the lowest
// priority could keep from others.
type gate struct{ opened atomic.Pointer[chan struct{}] } // nil while it is open

func (g *gate) shut() {
	c := make(chan struct{})
	g.opened.Store(&c)
}

func (g *gate) open() { close(*g.opened.Swap(nil)) }

func (g *gate) wait(ctx context.Context) {
	if c := g.opened.Load(); c != nil {
		select {
		case <-*c:
		case <-ctx.Done():
		}
	}
}

// Adapted implements encode.Trainer.
func (t *Trainer) Adapted(adapter []byte) (encode.BatchEncoder, error) { return t.adapted(adapter) }

func (t transformer) newTrainer() *Trainer {
	return &Trainer{base: t.Encoder, name: t.Name(), adapted: func(adapter []byte) (encode.BatchEncoder, error) {
		a, err := t.ParseAdapter(adapter)
		if err != nil {
			return nil, err
		}
		return transformer{t.WithAdapter(a)}, nil
	}}
}

func (t folderTransformer) newTrainer() *Trainer {
	return &Trainer{base: t.Encoder, name: t.Name(), adapted: func(adapter []byte) (encode.BatchEncoder, error) {
		a, err := t.ParseAdapter(adapter)
		if err != nil {
			return nil, err
		}
		return folderTransformer{t.WithAdapter(a)}, nil
	}}
}
