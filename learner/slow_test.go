package learner_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/learner"
)

// slow encodes as the static table does, but can be stopped, fail and talk
// nonsense, and remembers what it was asked.
type slow struct {
	mu     sync.Mutex
	asked  []string
	tokens []string // whose tokens it was asked for
	// do, if not nil, is called first with the texts; what it returns is returned.
	do func(ctx context.Context, texts []string) ([][]float32, error)
}

func (*slow) Name() string { return "slow/1" }

func (s *slow) set(do func(ctx context.Context, texts []string) ([][]float32, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = do
}

func (s *slow) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	s.mu.Lock()
	do := s.do
	s.mu.Unlock()
	if do != nil {
		if out, err := do(ctx, texts); out != nil || err != nil {
			return out, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, texts...)
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = static.Default().Encode(nil, t)
	}
	return out, ctx.Err()
}

// EncodeTokens sees what comes before a token in its text, up to the third before.
func (s *slow) EncodeTokens(ctx context.Context, texts []string) ([][][]float32, error) {
	s.mu.Lock()
	do := s.do
	s.mu.Unlock()
	if do != nil {
		if _, err := do(ctx, texts); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = append(s.tokens, texts...)
	out := make([][][]float32, len(texts))
	for i, text := range texts {
		tokens := token.Segment(nil, text)
		for j, t := range tokens {
			out[i] = append(out[i], static.Default().Encode(nil, text[tokens[max(0, j-3)].Start:t.End]))
		}
	}
	return out, ctx.Err()
}

func (s *slow) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *slow) tokensOf() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tokens)
}

var errDown = errors.New("connection refused")

func down(context.Context, []string) ([][]float32, error) { return nil, errDown }

func with(d *disk, s *slow) learner.Options { return withSlow(d, core.BackfillOptions{}, s) }

// withSlow are options with slow encoders whose vectors and tasks are the disk's, if o does
// not say otherwise.
func withSlow(d *disk, o core.BackfillOptions, all ...encode.BatchEncoder) learner.Options {
	if o.Vectors == nil {
		o.Vectors = d
	}
	o.Tasks = d
	return learner.Options{Encoder: ngram.New(), Slow: all, NewBackfill: core.Backfills(o), Tasks: d, Tolerance: 1e-3}
}

func encoded(t fataler, l *learner.Learner) {
	t.Helper()
	must(t, l.WaitEncoded(bg))
	must(t, l.WaitSettled(bg))
}

// complete is a learner that had every vector from the beginning.
func complete(t testing.TB, c *event.Changed) *learner.Learner {
	d := openDisk(t)
	l := start(t, d, with(d, new(slow)))
	apply(t, l, c)
	encoded(t, l)
	return l
}

func TestVectorsThatComeLaterAreTakenInOnceAndForEver(t *testing.T) {
	want := complete(t, labels(60))
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		s.set(down)
		l := start(t, d, with(d, s))
		apply(t, l, labels(60))
		rest(t, l)
		synctest.Wait()
		hashed := start(t, openDisk(t), learner.Options{Encoder: ngram.New(), Tolerance: 1e-3})
		apply(t, hashed, labels(60))
		rest(t, hashed)
		// Settings are chosen when the vectors are there, and among them is how sure the model
		// is, so it is not quite the same.
		same(t, hashed, l, 0.25)
		if e := status(t, l).Encoding; e.Done || e.Tasks != 60 || e.Encoded != 0 || !strings.Contains(e.Fault, "refused") {
			t.Errorf("while it is down: %+v", e)
		}

		s.set(nil)
		encoded(t, l)
		same(t, want, l, 5e-3)
		if e := status(t, l).Encoding; !e.Done || e.Encoded != 60 || e.Fault != "" || e.PerSecond <= 0 {
			t.Errorf("when it is back: %+v", e)
		}
		asked := s.texts()
		slices.Sort(asked)
		if n := len(asked); n == 0 || n != len(slices.Compact(asked)) {
			t.Errorf("%d texts were asked for, some of them twice", n)
		}
		must(t, l.Stop(bg))

		again := new(slow)
		again.set(down)
		l = start(t, d, with(d, again))
		encoded(t, l)
		same(t, want, l, 5e-3)
		if len(again.texts()) > 0 {
			t.Error("what was encoded is encoded again after a restart")
		}
	})
}

func TestLabelledTextsFirstThenTheQueueThenTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		gate := make(chan struct{})
		s.set(func(context.Context, []string) ([][]float32, error) { <-gate; return nil, nil })
		next := func(event.ProjectID) []event.TaskID { return []event.TaskID{1090, 1080, 1090, 5000} }
		l := start(t, d, withSlow(d, core.BackfillOptions{Next: next}, s))
		apply(t, l, &event.Changed{Project: 1, LabelConfig: single, At: at(1)}) // the names wait at the gate
		synctest.Wait()
		c := labels(40)
		for _, p := range probes(100) {
			p.UpdatedAt = at(1)
			c.Tasks = append(c.Tasks, p)
		}
		apply(t, l, c)
		close(gate)
		encoded(t, l)
		asked := s.texts()
		place := func(text string) int { return slices.Index(asked, text) }
		for i := range 40 {
			if text, _ := sentence(uint64(i + 1)); place(text) > 43 {
				t.Errorf("a labelled text comes at place %d", place(text))
			}
		}
		for _, i := range []int{1080, 1090} {
			if text, _ := sentence(uint64(i)); place(text) < 3 || place(text) > 45 {
				t.Errorf("a text of the queue comes at place %d", place(text))
			}
		}
		if !slices.Contains(asked[:3], "money") {
			t.Errorf("the names are not first: %q", asked[:3])
		}
	})
}

func TestVectorsGoWithTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		l := start(t, d, with(d, s))
		apply(t, l, labels(10))
		encoded(t, l)
		stored := func() (n int) {
			must(t, d.VectorKeys(bg, "slow/1", func(event.ContentKey) { n++ }))
			return n
		}
		before := stored()
		task := event.Task{ID: 4, Data: data("a text nobody knew"), UpdatedAt: at(3)}
		apply(t, l, &event.Changed{Project: 1, At: at(3), DeletedTasks: []event.TaskID{2, 3}, Tasks: []event.Task{task}})
		encoded(t, l)
		time.Sleep(time.Minute)
		if after := stored(); after != before-2 {
			t.Errorf("%d vectors, were %d, and two tasks are gone", after, before)
		}
		must(t, d.ChangeVectors(bg, "another", map[event.ContentKey][]byte{{1}: {1}}, nil))
		must(t, l.Stop(bg))
		l = start(t, d, with(d, s))
		encoded(t, l)
		must(t, d.VectorKeys(bg, "another", func(event.ContentKey) { t.Error("another encoder's vectors stay") }))
	})
}

func TestUnseenTextsAreEncodedOnTheSpot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		o := with(d, s)
		o.SlowWait = 3 * time.Second
		l := start(t, d, o)
		apply(t, l, labels(60))
		encoded(t, l)
		known := len(s.texts())
		ask := func(from, to int) []float64 {
			answers, err := l.Predict(bg, 1, "", probes(100)[from:to])
			must(t, err)
			scores := make([]float64, len(answers))
			for i, a := range answers {
				scores[i] = a.Score
			}
			return scores
		}
		with := ask(0, 40)
		if n := len(s.texts()) - known; n < 35 {
			t.Errorf("%d of 40 were encoded", n)
		}
		ask(0, 40)
		if n := len(s.texts()) - known; n > 40 {
			t.Error("they are encoded again")
		}
		s.set(func(ctx context.Context, _ []string) ([][]float32, error) { <-ctx.Done(); return nil, ctx.Err() })
		began := time.Now()
		without := ask(40, 80)
		if took := time.Since(began); took != o.SlowWait {
			t.Errorf("with a server that hangs it takes %v", took)
		}
		ask(60, 80)
		if took := time.Since(began); took != o.SlowWait {
			t.Errorf("the next one waits too: %v", took)
		}
		if !(without[0] > 0) || len(with) != 40 {
			t.Errorf("scores %v", without)
		}
		s.set(nil)
		// The same texts as tasks: their vectors are kept now.
		c := &event.Changed{Project: 1, At: at(9)}
		for _, p := range probes(20) {
			p.UpdatedAt = at(9)
			c.Tasks = append(c.Tasks, p)
		}
		asked := len(s.texts())
		apply(t, l, c)
		encoded(t, l)
		if len(s.texts()) != asked {
			t.Error("a text whose vector is in memory is encoded again")
		}
	})
}

func TestNonsenseFromTheEncoderIsRefused(t *testing.T) {
	nan := float32(math.NaN())
	for name, answer := range map[string]func([]string) [][]float32{
		"too few vectors": func(texts []string) [][]float32 { return make([][]float32, len(texts)-1) },
		"no number": func(texts []string) [][]float32 {
			out := make([][]float32, len(texts))
			out[0] = []float32{1, nan}
			return out
		},
		"other dimensions": func(texts []string) [][]float32 {
			out := make([][]float32, len(texts))
			for i := range out {
				out[i] = make([]float32, 2+i)
				out[i][0] = 1
			}
			return out
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, s := openDisk(t), new(slow)
				s.set(func(_ context.Context, texts []string) ([][]float32, error) { return answer(texts), nil })
				l := start(t, d, with(d, s))
				apply(t, l, labels(30))
				rest(t, l)
				synctest.Wait()
				if e := status(t, l).Encoding; e.Fault == "" || e.Done {
					t.Errorf("encoding %+v", e)
				}
				s.set(nil)
				encoded(t, l)
				if e := status(t, l).Encoding; e.Fault != "" || !e.Done {
					t.Errorf("encoding %+v", e)
				}
			})
		})
	}
}

// Whatever arrives when, fails, is changed meanwhile or ends with hone being
// killed: once all vectors are there, it predicts as one that had them all before.
func TestAnyOrderOfVectorsEndsWhereTrainingFromScratchDoes(t *testing.T) {
	for range 16 {
		seed := rand.Uint64()
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { anyOrder(t, seed) })
	}
}

func anyOrder(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 7))
		w := &labelStudio{
			rng: rng, config: []string{single, marked}[rng.IntN(2)], tasks: map[event.TaskID]event.Task{},
			annotations: map[event.AnnotationID]event.Annotation{},
		}
		d, s := openDisk(t), new(slow)
		var mu sync.Mutex
		luck := rand.New(rand.NewPCG(seed, 8))
		s.set(func(context.Context, []string) ([][]float32, error) {
			mu.Lock()
			wait, fail := time.Duration(luck.IntN(3000))*time.Millisecond, luck.IntN(3) == 0
			mu.Unlock()
			time.Sleep(wait)
			if fail {
				return nil, errDown
			}
			return nil, nil
		})
		set := map[string]string{} // half of the projects have another encoder now and then
		l := start(t, d, choosing(with(d, s), nil))
		apply(t, l, w.say(event.Changed{LabelConfig: w.config}))
		changes := rng.IntN(2) == 0
		for range 1 + rng.IntN(25) {
			c := w.act()
			apply(t, l, c)
			if rng.IntN(3) == 0 {
				_, err := l.Predict(bg, 1, "", c.Tasks)
				must(t, err)
			}
			time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
			if changes && rng.IntN(4) == 0 {
				e := encoder([]string{"hashed", "default"}[rng.IntN(2)])
				set = e.Change(set)
				apply(t, l, e)
			}
			if rng.IntN(8) == 0 {
				must(t, l.Stop(bg))
				l = start(t, d, choosing(with(d, s), nil))
			}
		}
		s.set(nil)
		encoded(t, l)
		clean := openDisk(t)
		fresh := start(t, clean, choosing(with(clean, new(slow)), nil))
		apply(t, fresh, w.all(), setUp(set))
		encoded(t, fresh)
		same(t, fresh, l, 1e-2)
		time.Sleep(time.Minute)
		if set["encoder"] == "hashed" && vectorsOf(t, d, "slow/1") > 0 {
			t.Error("vectors are stored that nobody reads")
		}
	})
}

// unreadable is a store whose vectors cannot be read from when a project is loaded.
type unreadable struct {
	*disk
	mu     sync.Mutex
	bad    bool
	inVain int
}

func (u *unreadable) Load(ctx context.Context, p event.ProjectID) (event.ProjectState, error) {
	u.mu.Lock()
	u.bad = true
	u.mu.Unlock()
	return u.disk.Load(ctx, p)
}

func (u *unreadable) Vector(encoder string, key event.ContentKey) ([]byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bad {
		u.inVain++
		return nil, errDisk
	}
	return u.disk.Vector(encoder, key)
}

// A vector that cannot be read now is not damaged: it is not paid for again.
func TestAReadErrorIsNotDamage(t *testing.T) {
	s := &slow{}
	d := openDisk(t)
	l := start(t, d, with(d, s))
	apply(t, l, labels(12))
	encoded(t, l)
	rest(t, l)
	must(t, l.Stop(bg))
	before := len(s.texts())

	u := &unreadable{disk: d}
	again := start(t, u, withSlow(d, core.BackfillOptions{Vectors: u}, s))
	encoded(t, again)
	rest(t, again)
	_, err := again.Predict(bg, 1, "", labels(5).Tasks)
	must(t, err)
	if n := len(s.texts()); n > before {
		t.Errorf("%d texts were encoded again", n-before)
	}
	must(t, again.Stop(bg))
	if u.inVain == 0 {
		t.Error("nothing was read in vain")
	}
	third := start(t, d, with(d, s))
	encoded(t, third)
	rest(t, third)
	same(t, complete(t, labels(12)), third, 0.05)
	if n := len(s.texts()); n > before {
		t.Errorf("%d texts were encoded again once they could be read", n-before)
	}
}
