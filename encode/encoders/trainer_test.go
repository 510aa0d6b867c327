package encoders_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/internal/priority"
)

// folder is a small model with random weights.
const folder = encoders.BERT + "../text/bert/testdata/"

func cards() []encode.LabelledText {
	return []encode.LabelledText{
		{Text: "my card is lost", Class: 0},
		{Text: "the card was stolen", Class: 0},
		{Text: "where is my transfer", Class: 1},
		{Text: "a transfer has not come", Class: 1},
	}
}

// What trains a transformer gives adapters that are the same again for the same texts in another order,
// and encoders of one part. It shares the weights of the encoder that is open.
func TestTrainer(t *testing.T) {
	for name, size := range map[string]int{encoders.MiniLM: 384, folder + "mean": 32, folder + "cls": 40, folder + "max": 32} {
		open, err := encoders.Open(name, encoders.Options{})
		if errors.Is(err, encoders.ErrNotBuiltIn) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		trainer, texts := encoders.TrainerOf(open), cards()
		if trainer.BaseName() != open.Slow[0].Name() || !strings.Contains(open.Blocking().Name(), trainer.BaseName()) {
			t.Errorf("it trains %s, of %s", trainer.BaseName(), open.Blocking().Name())
		}
		adapter, err := trainer.Train(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(texts)
		if again, err := trainer.Train(t.Context(), texts); err != nil || !bytes.Equal(again, adapter) {
			t.Errorf("%s: in another order it is another adapter (%v)", name, err)
		}
		e, err := trainer.Adapted(adapter)
		if err != nil {
			t.Fatal(err)
		}
		xs, err := e.EncodeBatch(t.Context(), []string{"a lost card"})
		if parts := encode.PartsOf(e); err != nil || !slices.Equal(parts, []encode.Part{encode.Adapted}) || len(xs[0]) != size {
			t.Errorf("%s: parts %v, %d numbers, %v", name, parts, len(xs[0]), err)
		}
		if _, err := trainer.Train(t.Context(), texts[:2]); err == nil {
			t.Errorf("%s: texts of one class", name)
		}
		adapter[len(adapter)/2] ^= 1
		if _, err := trainer.Adapted(adapter); err == nil {
			t.Errorf("%s: a damaged adapter", name)
		}
	}
}

// Training in this process waits while somebody else does, makes the same adapter, and is cancelled all
// the same.
func TestTrainingPausesForTheForeground(t *testing.T) {
	trainer, err := encoders.NewTrainer(folder+"mean", encoders.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := trainer.Train(t.Context(), cards())
	if err != nil {
		t.Fatal(err)
	}
	for _, cancelled := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var f priority.Foreground
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f.Begin()
			defer f.End()
			began := time.Now()
			ended := make(chan struct{})
			var got []byte
			var err error
			go func() {
				defer close(ended)
				got, err = trainer.PausingFor(&f).Train(ctx, cards())
			}()
			synctest.Wait()
			select {
			case <-ended:
				t.Error("it trained")
			default:
			}
			if cancelled {
				cancel()
				if <-ended; !errors.Is(err, context.Canceled) || time.Since(began) > 0 {
					t.Errorf("cancelled: after %v, %v", time.Since(began), err)
				}
				return
			}
			f.End()
			if <-ended; err != nil || !bytes.Equal(got, want) {
				t.Errorf("the same %v, %v", bytes.Equal(got, want), err)
			}
			f.Begin()
		})
	}
}

// Adapters and stored vectors of one model are not taken for those of another.
func TestTrainersOfSeveralModels(t *testing.T) {
	names := map[string]bool{}
	var adapters [][]byte
	var trainers []*encoders.Trainer
	for _, name := range []string{"mean", "cls", "max"} {
		trainer, err := encoders.NewTrainer(folder+name, encoders.Options{})
		if err != nil {
			t.Fatal(err)
		}
		adapter, err := trainer.Train(t.Context(), cards())
		if err != nil {
			t.Fatal(err)
		}
		names[encoders.AdaptedName(trainer.BaseName())] = true
		adapters, trainers = append(adapters, adapter), append(trainers, trainer)
	}
	if len(names) != len(trainers) {
		t.Errorf("names %v", names)
	}
	for i, trainer := range trainers {
		for j, adapter := range adapters {
			if _, err := trainer.Adapted(adapter); (err == nil) != (i == j) {
				t.Errorf("%s, and an adapter of %s: %v", trainer.BaseName(), trainers[j].BaseName(), err)
			}
		}
	}
}

// The encoders without a transformer have no trainer, and those that do not open neither.
func TestEncodersWithoutTrainer(t *testing.T) {
	for name, want := range map[string]string{
		encoders.Static: "static cannot adapt", encoders.OpenAI + "http://localhost:1": "cannot adapt", folder + "nowhere": "no config.json", "none": "unknown encoder",
	} {
		if _, err := encoders.NewTrainer(name, encoders.Options{OpenAIModel: "m"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
