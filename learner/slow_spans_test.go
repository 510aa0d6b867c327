package learner_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/vector"
)

const onlySpans = `<View><Text name="t" value="$text"/>
	<Labels name="s" toName="t"><Label value="thing"/><Label value="deed"/></Labels></View>`

// marks are n labelled tasks, in which the last word is a thing or a deed.
func marks(n int) *event.Changed {
	c := labels(n)
	c.LabelConfig = onlySpans
	for i := range c.Annotations {
		text, about := sentence(uint64(i + 1))
		tokens := token.Segment(nil, text)
		last := tokens[len(tokens)-1]
		label := "thing"
		if about == "app" {
			label = "deed"
		}
		c.Annotations[i].Result = result(map[string]any{
			"id": "s", "from_name": "s", "to_name": "t", "type": "labels",
			"value": map[string]any{"start": last.Start, "end": last.End, "labels": []string{label}},
		})
	}
	return c
}

// Tokens' vectors come later as texts' do: once for each text and for ever, and in the
// end the head is that of training with all of them.
func TestTokensVectorsThatComeLaterAreTakenIn(t *testing.T) {
	without := start(t, openDisk(t), learner.Options{Encoder: ngram.New(), Tolerance: 1e-3})
	apply(t, without, marks(40))
	rest(t, without)
	want := complete(t, marks(40))
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		s.set(down)
		l := start(t, d, with(d, s))
		apply(t, l, marks(40))
		rest(t, l)
		synctest.Wait()
		same(t, without, l, 1e-2) // tagged with what is there
		s.set(nil)
		encoded(t, l)
		same(t, want, l, 5e-3)
		if e := status(t, l).Encoding; !e.Done || e.Encoded != 40 {
			t.Errorf("%+v", e)
		}
		asked := s.tokensOf()
		slices.Sort(asked)
		if n := len(asked); n < 30 || n != len(slices.Compact(asked)) {
			t.Errorf("the tokens of %d texts were asked for, some of them twice", n)
		}
		for _, text := range s.texts() {
			if slices.Contains(asked, text) {
				t.Errorf("%q is encoded as a whole too, which nobody reads", text)
			}
		}
		must(t, l.Stop(bg))

		again := new(slow)
		again.set(down)
		l = start(t, d, with(d, again))
		encoded(t, l)
		same(t, want, l, 5e-3)
	})
	// Two heads that know more tell probes apart otherwise than those that know less.
	a, _, err := want.Estimates(bg, 1, probes(20))
	must(t, err)
	b, _, err := without.Estimates(bg, 1, probes(20))
	must(t, err)
	differ := 0
	for i := range a {
		if math.Abs(a[i][0].Certainty-b[i][0].Certainty) > 0.02 {
			differ++
		}
	}
	if differ < 5 {
		t.Errorf("tokens' vectors make a difference to %d of 20 texts", differ)
	}
}

// Neither a webhook nor a prediction of a text that is known waits for the encoder.
func TestNobodyWaitsForTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		l := start(t, d, with(d, s))
		apply(t, l, marks(30))
		encoded(t, l)
		gate := make(chan struct{})
		s.set(func(ctx context.Context, _ []string) ([][]float32, error) {
			select {
			case <-gate:
			case <-ctx.Done():
			}
			return nil, ctx.Err()
		})
		began := time.Now()
		c := marks(40)
		apply(t, l, &event.Changed{Project: 1, At: at(2), Tasks: c.Tasks[30:], Annotations: c.Annotations[30:]})
		rest(t, l)
		answers, err := l.Predict(bg, 1, "", c.Tasks[:30])
		must(t, err)
		if took := time.Since(began); took != 0 {
			t.Errorf("it takes %v", took)
		}
		found := 0
		for _, a := range answers {
			found += len(a.Result)
		}
		if found < 20 {
			t.Errorf("%d spans in 30 texts", found)
		}
		_, err = l.Predict(bg, 1, "", probes(1))
		must(t, err)
		if took := time.Since(began); took == 0 {
			t.Error("an unseen text is not encoded on the spot")
		}
		close(gate)
	})
}

// What is stored and cannot be used, such as vectors of the tokens that another hone
// found, is made anew. What is needed no more goes.
func TestStrangeVectorsOfTokensAreMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := marks(12)
		for _, p := range probes(3) {
			p.UpdatedAt = at(1)
			all.Tasks = append(all.Tasks, p)
		}
		want := complete(t, all)
		d, s := openDisk(t), new(slow)
		l := start(t, d, with(d, s))
		apply(t, l, all)
		encoded(t, l)
		must(t, l.Stop(bg))
		keys := map[event.ContentKey]bool{}
		must(t, d.VectorKeys(bg, "slow/1", func(k event.ContentKey) { keys[k] = true }))
		few, err := vector.PackTokens([][]float32{static.Default().Encode(nil, "one token")})
		must(t, err)
		odd := 0
		strange := map[event.ContentKey][]byte{}
		for i := range 15 {
			text, _ := sentence(uint64(i + 1))
			if i >= 12 {
				text, _ = sentence(uint64(1000 + i - 12))
			}
			k := event.ContentKey(encode.Request{Text: text, Tokens: true}.Key())
			if !keys[k] {
				t.Fatalf("no vectors of the tokens of %q", text)
			}
			strange[k] = [][]byte{few, {}, {9, 9}}[odd%3]
			odd++
		}
		must(t, d.ChangeVectors(bg, "slow/1", strange, nil))
		again := new(slow)
		l = start(t, d, with(d, again))
		encoded(t, l)
		_, _, err = l.Estimates(bg, 1, probes(20)) // finds out that the probes' are strange
		must(t, err)
		encoded(t, l)
		same(t, want, l, 5e-3)
		if n := len(again.tokensOf()); n != len(strange) {
			t.Errorf("the tokens of %d texts are encoded again, not of %d", n, len(strange))
		}
		apply(t, l, &event.Changed{Project: 1, At: at(3), DeletedTasks: []event.TaskID{1, 2, 3}})
		encoded(t, l)
		time.Sleep(time.Minute)
		left := 0
		must(t, d.VectorKeys(bg, "slow/1", func(event.ContentKey) { left++ }))
		if left != len(keys)-3 {
			t.Errorf("%d vectors are left of %d, and three tasks are gone", left, len(keys))
		}
	})
}
