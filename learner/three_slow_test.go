package learner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/learner"
)

// partial is a slow encoder of a name of its own that sees some of the dimensions: [from, to).
type partial struct {
	*slow
	name     string
	from, to int
}

func (p partial) Name() string { return p.name }

func (p partial) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	xs, err := p.slow.EncodeBatch(ctx, texts)
	for i := range xs {
		if xs[i] != nil {
			xs[i] = xs[i][p.from:p.to]
		}
	}
	return xs, err
}

func (p partial) EncodeTokens(ctx context.Context, texts []string) ([][][]float32, error) {
	p.mu.Lock()
	do := p.do
	p.mu.Unlock()
	if do != nil {
		if refused, err := do(ctx, texts); refused != nil || err != nil {
			none := make([][][]float32, len(texts))
			for i, text := range texts {
				none[i] = make([][]float32, len(token.Segment(nil, text)))
			}
			return none, err
		}
	}
	all, err := p.slow.EncodeTokens(ctx, texts)
	for _, xs := range all {
		for i := range xs {
			if xs[i] != nil {
				xs[i] = xs[i][p.from:p.to]
			}
		}
	}
	return all, err
}

// noTokens is an encoder without vectors of tokens.
type noTokens struct{ encode.BatchEncoder }

// three are encoders that see different things, of which each does what is said; the last
// has no vectors of tokens.
func three(do ...func(context.Context, []string) ([][]float32, error)) (all [3]*slow, encoders []encode.BatchEncoder) {
	for i := range all {
		all[i] = new(slow)
		all[i].set(do[i])
		encoders = append(encoders, partial{all[i], []string{"quick/1", "late/1", "broken/1"}[i], 16 * i, 8*i + 32})
	}
	encoders[2] = noTokens{encoders[2]}
	return all, encoders
}

// never refuses every text for ever: no vector is waited for.
func never(_ context.Context, texts []string) ([][]float32, error) {
	return make([][]float32, len(texts)), nil
}

// threeOf is a learner of the changes that waited for all that the encoders have.
func threeOf(t *testing.T, c *event.Changed, do ...func(context.Context, []string) ([][]float32, error)) *learner.Learner {
	d := openDisk(t)
	_, encoders := three(do...)
	l := start(t, d, withSlow(d, core.BackfillOptions{}, encoders...))
	apply(t, l, c)
	encoded(t, l)
	return l
}

// Of three encoders one is quick, one comes late and one fails for ever: the quick one's
// vectors are learned from at once, the late one's when they come, and the third keeps
// neither waiting. A restart finds all that there was, and without one of the encoders
// those of the others.
func TestThreeSlowEncodersDoNotWaitForEachOther(t *testing.T) {
	for name, c := range map[string]*event.Changed{"texts": labels(12), "tokens": marks(12)} {
		t.Run(name, func(t *testing.T) {
			quickAlone := threeOf(t, c, nil, never, never)
			withoutBroken := threeOf(t, c, nil, nil, never)
			synctest.Test(t, func(t *testing.T) {
				d := openDisk(t)
				gate := make(chan struct{})
				waits := func(ctx context.Context, _ []string) ([][]float32, error) {
					select {
					case <-gate:
					case <-ctx.Done():
					}
					return nil, ctx.Err()
				}
				all, encoders := three(nil, waits, down)
				l := start(t, d, withSlow(d, core.BackfillOptions{}, encoders...))
				apply(t, l, c)
				time.Sleep(time.Minute)
				rest(t, l)
				same(t, quickAlone, l, 5e-3)
				e := status(t, l).Encoding
				if e.Encoder != "quick/1+late/1+broken/1" || e.Tasks != 12 || e.Encoded != 0 || e.Done {
					t.Errorf("with one encoder there: %+v", e)
				}
				if e.Fault != "broken/1: connection refused" {
					t.Errorf("the fault is %q", e.Fault)
				}

				close(gate)
				time.Sleep(time.Minute)
				rest(t, l)
				same(t, withoutBroken, l, 5e-3)
				must(t, l.Stop(bg))

				again, encoders := three(down, down, down)
				l = start(t, d, withSlow(d, core.BackfillOptions{}, encoders...))
				time.Sleep(time.Minute)
				rest(t, l)
				same(t, withoutBroken, l, 5e-3)
				for i, s := range again {
					if len(s.texts())+len(s.tokensOf()) > 0 {
						t.Errorf("after a restart encoder %d is asked again", i)
					}
				}
				must(t, l.Stop(bg))

				kept := vectorsOf(t, d, "late/1")
				l = start(t, d, withSlow(d, core.BackfillOptions{}, encoders[1:]...))
				time.Sleep(time.Minute)
				rest(t, l)
				if n := vectorsOf(t, d, "quick/1"); n != 0 {
					t.Errorf("%d vectors are kept of an encoder that is no more", n)
				}
				if n := vectorsOf(t, d, "late/1"); n != kept || kept == 0 {
					t.Errorf("%d vectors are left of an encoder that stays, of %d", n, kept)
				}
				if n := len(all[1].texts()) + len(all[1].tokensOf()); n != kept {
					t.Errorf("%d texts were encoded for %d vectors", n, kept)
				}
			})
		})
	}
}

func vectorsOf(t *testing.T, d *disk, encoder string) (n int) {
	t.Helper()
	must(t, d.VectorKeys(bg, encoder, func(event.ContentKey) { n++ }))
	return n
}

// In the end, whatever came when, the model is that of training with all vectors; the
// settings are chosen when they are there.
func TestThreeSlowEncodersEndWhereTrainingFromScratchDoes(t *testing.T) {
	want := threeOf(t, labels(60), nil, nil, nil)
	synctest.Test(t, func(t *testing.T) {
		d := openDisk(t)
		all, encoders := three(down, down, down)
		l := start(t, d, withSlow(d, core.BackfillOptions{}, encoders...))
		apply(t, l, labels(60))
		for _, i := range []int{2, 0, 1} {
			time.Sleep(5 * time.Minute)
			rest(t, l)
			if status(t, l).Encoding.Done {
				t.Errorf("done without encoder %d", i)
			}
			all[i].set(nil)
		}
		encoded(t, l)
		same(t, want, l, 5e-3)
		for i, s := range all {
			asked := s.texts()
			slices.Sort(asked)
			if n := len(asked); n == 0 || n != len(slices.Compact(asked)) {
				t.Errorf("encoder %d was asked for %d texts, some of them twice", i, n)
			}
		}
		if e := status(t, l).Encoding; !e.Done || e.Encoded != 60 || e.Fault != "" {
			t.Errorf("in the end: %+v", e)
		}
	})
}

// A retrain waits for the encoder that lacks vectors of labelled texts, and not for one
// that has them and is busy with others.
func TestARetrainDoesNotWaitForABusyEncoderInPlaceOfOneThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDisk(t)
		busy := func(ctx context.Context, _ []string) ([][]float32, error) {
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
			return nil, ctx.Err()
		}
		_, encoders := three(busy, never, down)
		l := start(t, d, withSlow(d, core.BackfillOptions{}, encoders...))
		c := labels(12)
		for _, p := range probes(2000) {
			p.UpdatedAt = at(1)
			c.Tasks = append(c.Tasks, p)
		}
		apply(t, l, c, due(2, "asked"))
		time.Sleep(9 * time.Minute)
		if st := status(t, l); st.Version != "hone-1" || st.Retrain == nil || st.Retrain.Waiting == "" {
			t.Fatalf("after nine minutes %s is live, %+v", st.Version, st.Retrain)
		}
		time.Sleep(3 * time.Minute)
		rest(t, l)
		st := status(t, l)
		if st.Version != "hone-2" || st.Encoding.Done || !strings.Contains(st.LastRetrain.Outcome, "12 of 12 labelled texts have no vector") {
			t.Errorf("after twelve minutes %s is live, %+v, %+v", st.Version, st.LastRetrain, st.Encoding)
		}
	})
}

// An unseen text gets on the spot what an encoder has at once, though another hangs and a
// third fails.
func TestUnseenTextsGetWhatIsThereOfThree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDisk(t)
		all, encoders := three(nil, nil, nil)
		o := withSlow(d, core.BackfillOptions{}, encoders...)
		o.SlowWait = 3 * time.Second
		l := start(t, d, o)
		apply(t, l, labels(12))
		encoded(t, l)
		all[1].set(hangs)
		all[2].set(down)
		began := time.Now()
		_, err := l.Predict(bg, 1, "", probes(1))
		must(t, err)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it takes %v", took)
		}
		if text, _ := sentence(1000); !slices.Contains(all[0].texts(), text) {
			t.Error("the encoder that is there was not asked")
		}
	})
}

func TestSlowEncodersAreChecked(t *testing.T) {
	d := openDisk(t)
	one := new(slow)
	for want, o := range map[string]learner.Options{
		"named slow/1":    withSlow(d, core.BackfillOptions{}, one, one),
		"NewBackfill and": {Encoder: ngram.New(), Slow: []encode.BatchEncoder{one}},
		"too many":        withSlow(d, core.BackfillOptions{}, slices.Repeat([]encode.BatchEncoder{one}, 65)...),
	} {
		if _, err := learner.New(d, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
