// Package bench measures how fast hone is on labelled data, on one core and
// through the code that serve runs: encoder, model, learner, state, log and the
// HTTP receiver.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/simulate"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

// Options say what is measured.
type Options struct {
	Encoder encode.Encoder
	// For is about how long each rate is measured.
	For time.Duration
	// Singles is how many single annotations are learned for the percentiles.
	Singles int
	// Budget is the learner's.
	Budget time.Duration
	// Dir is where the database is for as long as it takes; the system's directory
	// for temporary files if empty. The webhooks' rates are those of its disk.
	Dir string
	// Progress, when not nil, is told which step of how many begins.
	Progress func(step, steps int, what string)
}

func (o *Options) validate() error {
	if o.Encoder == nil || o.For <= 0 || o.Singles < 1 {
		return errors.New("bench: Options.Encoder, For and Singles are required")
	}
	return nil
}

// Result holds the measurements. Its JSON is a format that people script against.
// Rates are by the clock on the wall, those per CPU second by the processor time of
// the whole process, garbage collection included.
type Result struct {
	// Encoder, Texts, Words (a text, on average) and Classes say what of.
	Encoder string  `json:"encoder"`
	Texts   int     `json:"texts"`
	Words   float64 `json:"words_per_text"`
	Classes int     `json:"classes"`

	// EncodePerS is texts to features, none of them encoded before. What a slow encoder
	// makes of a text is kept, so in what follows every text has its vector.
	EncodePerS    float64 `json:"encode_per_s"`
	EncodePerCPUS float64 `json:"encode_per_cpu_s"`
	// LearnPerS is texts encoded and put into the model, each moved to its best given
	// the others. It is one pass over the data, what an online learner does; neither
	// the way to the optimum nor the disk is in it, which ApplyPerS has.
	LearnPerS    float64 `json:"learn_per_s"`
	LearnPerCPUS float64 `json:"learn_per_cpu_s"`
	// PredictPerS is tasks to probabilities, texts that were not encoded before.
	PredictPerS    float64 `json:"predict_per_s"`
	PredictPerCPUS float64 `json:"predict_per_cpu_s"`
	// ApplyPerS is annotated tasks learned from a backlog as the learner does it:
	// durable, and walked to the optimum.
	ApplyPerS float64 `json:"apply_per_s"`
	// LearnOneP50Ms and LearnOneP99Ms are of one more annotation on top of all, from
	// the event to the new snapshot; LearnOneDurableP99Ms has the disk in it.
	LearnOneP50Ms        float64 `json:"learn_one_p50_ms"`
	LearnOneP99Ms        float64 `json:"learn_one_p99_ms"`
	LearnOneDurableP99Ms float64 `json:"learn_one_durable_p99_ms"`

	// WebhooksPerS is annotations acknowledged over HTTP, on disk before, one after
	// the other; Webhooks64PerS of 64 senders at once.
	WebhooksPerS   float64 `json:"webhooks_per_s"`
	Webhooks64PerS float64 `json:"webhooks_64_per_s"`
	// AckP99Ms is the 99th percentile of an acknowledgement, one sender's.
	AckP99Ms   float64 `json:"ack_p99_ms"`
	Ack64P99Ms float64 `json:"ack_64_p99_ms"`
	// PredictRequestsPerS is requests to /predict with one task over HTTP, one after
	// the other.
	PredictRequestsPerS    float64 `json:"predict_requests_per_s"`
	PredictRequestsPerCPUS float64 `json:"predict_requests_per_cpu_s"`

	// RSSMB is the most memory the process ever held, in MB of 10^6 bytes; 0 where the
	// system doesn't tell.
	RSSMB float64 `json:"rss_mb"`
}

// dataset is the data in the form that the measurements need, and their results so far.
type dataset struct {
	Options
	config  string
	control labelconfig.Control
	link    model.Link
	items   []simulate.Labelled
	texts   []string
	targets [][]model.Share
	result  Result
}

// Run measures, one thing after the other, on one core: it sets GOMAXPROCS to 1
// until it returns, so nothing else should run beside it.
func Run(ctx context.Context, d *simulate.Data, o Options) (Result, error) {
	if err := o.validate(); err != nil {
		return Result{}, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := &dataset{Options: o, config: d.Config, items: d.Labelled()}
	if err := w.prepare(); err != nil {
		return Result{}, err
	}
	dir, err := os.MkdirTemp(o.Dir, "hone-bench-")
	if err != nil {
		return Result{}, err
	}
	err = w.runSteps(ctx, dir)
	return w.result, errors.Join(err, os.RemoveAll(dir))
}

// prepare reads texts and targets out of the tasks.
func (w *dataset) prepare() error {
	cfg, err := labelconfig.Parse(w.config)
	if err != nil {
		return err
	}
	learned := head.Decide(cfg).Learned()
	if len(learned) != 1 || learned[0].Answer != head.AnswerLabels {
		return fmt.Errorf("bench measures one <Choices>; the label config asks %d questions hone learns: use data with one label, or one list of labels, a line", len(learned))
	}
	w.control = learned[0].Control
	if w.control.Multiple {
		w.link = model.Independent
	}
	class := map[string]int32{}
	for i, l := range w.control.LabelNames() {
		class[l] = int32(i)
	}
	words := 0
	for _, it := range w.items {
		text, _ := content.Joined(learned[0].Objects, it.Task.Data) // none is an empty one
		labels, _, err := regions.DecodeChoices(w.control, it.Results[0])
		if err != nil {
			return fmt.Errorf("task %d: %w", it.Task.ID, err)
		}
		w.texts = append(w.texts, text)
		w.targets = append(w.targets, targetOf(labels, class))
		words += len(strings.Fields(text))
	}
	w.result = Result{
		Encoder: w.Encoder.Name(), Texts: len(w.items), Classes: len(class),
		Words: float64(words) / float64(len(w.items)),
	}
	return nil
}

func targetOf(labels []string, class map[string]int32) []model.Share {
	out := make([]model.Share, 0, len(labels))
	for c := range int32(len(class)) {
		for _, l := range labels {
			if class[l] == c {
				out = append(out, model.Share{Class: c, P: 1})
				break
			}
		}
	}
	return out
}

// runSteps runs all measurements. The order matters: each step needs what earlier ones have
// learned or stored.
func (w *dataset) runSteps(ctx context.Context, dir string) (err error) {
	var h *instance
	defer func() {
		if h != nil {
			err = errors.Join(err, h.close())
		}
	}()
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"encoding", w.measureEncode},
		{"encoding the rest", w.encodeAhead},
		{"learning", w.measureLearn},
		{"applying a backlog", func(ctx context.Context) error {
			if h, err = w.open(ctx, dir); err != nil {
				return err
			}
			return h.measureApply(ctx)
		}},
		{"learning one by one", func(ctx context.Context) error { return h.measureLearnOne(ctx) }},
		{"coming to rest", func(ctx context.Context) error { return h.learner.WaitSettled(ctx) }}, // what follows is measured without learning
		{"predicting", func(ctx context.Context) error { return h.measurePredict(ctx) }},
		{"answering /predict", func(ctx context.Context) error { return h.measurePredictRequests(ctx) }},
		{"webhooks, one sender", func(ctx context.Context) error { return h.measureWebhooks(ctx, 1) }},
		{"webhooks, 64 senders", func(ctx context.Context) error { return h.measureWebhooks(ctx, 64) }},
	}
	for i, s := range steps {
		if w.Progress != nil {
			w.Progress(i, len(steps), s.what)
		}
		runtime.GC() // one step's garbage is not the next one's work
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	w.result.RSSMB = peakRSS()
	return nil
}

// unitsPerClockRead is how many units of work are measured between two readings of the clock.
const unitsPerClockRead = 100

// measureRate calls f, which does some units of work, for about Options.For, and returns the
// units per second of wall-clock time and of CPU time. prepare, if not nil, is called before
// every call of f and is not measured.
func (w *dataset) measureRate(ctx context.Context, prepare func(), f func() (units int, err error)) (perS, perCPUS float64, err error) {
	var wall, cpu time.Duration
	units := 0
	for wall < w.For {
		if prepare != nil {
			prepare()
		}
		began, used := time.Now(), cpuTime()
		n, err := f()
		wall, cpu = wall+time.Since(began), cpu+cpuTime()-used
		if err := errors.Join(err, ctx.Err()); err != nil {
			return 0, 0, err
		}
		units += n
	}
	if cpu > 0 {
		perCPUS = float64(units) / cpu.Seconds()
	}
	return float64(units) / wall.Seconds(), perCPUS, nil
}

func (w *dataset) measureEncode(ctx context.Context) (err error) {
	i, e := 0, w.Encoder
	w.result.EncodePerS, w.result.EncodePerCPUS, err = w.measureRate(ctx, nil, func() (int, error) {
		for range unitsPerClockRead {
			if p, keeps := w.Encoder.(*encode.Blocking); keeps && i%len(w.texts) == 0 {
				e = p.WithEmptyCache()
			}
			e.Encode(w.texts[i%len(w.texts)])
			i++
		}
		return unitsPerClockRead, nil
	})
	return err
}

// encodeAhead has a slow encoder encode all texts, which is not measured.
func (w *dataset) encodeAhead(ctx context.Context) error {
	p, keeps := w.Encoder.(*encode.Blocking)
	if !keeps {
		return nil
	}
	needs := make([]encode.Request, len(w.texts))
	for i, t := range w.texts {
		needs[i].Text = t
	}
	return p.Precompute(ctx, needs, nil)
}

// measureLearn learns the data again and again, each time with a new model.
func (w *dataset) measureLearn(ctx context.Context) (err error) {
	var m *model.Model
	i := 0
	w.result.LearnPerS, w.result.LearnPerCPUS, err = w.measureRate(ctx, nil, func() (int, error) {
		for range unitsPerClockRead {
			at := i % len(w.texts)
			i++
			if at == 0 {
				m = model.New(w.result.Classes, w.link, model.Defaults())
			}
			err := m.Upsert(model.Example{ID: int64(at + 1), X: w.Encoder.Encode(w.texts[at]), Target: w.targets[at], Weight: 1})
			if err != nil {
				return 0, err
			}
		}
		return unitsPerClockRead, nil
	})
	return err
}

// annotation returns the change that labels item i. Round 0 labels the data; later rounds
// label other tasks with the same texts.
func (w *dataset) annotation(i, round int, at time.Time) *event.Changed {
	it := w.items[i]
	id := it.Task.ID + event.TaskID(round*len(w.items))
	c := &event.Changed{
		Project: projectID, LabelConfig: w.config, Source: event.FromWebhook, At: at,
		Tasks: []event.Task{{ID: id, Data: w.data(i, round), UpdatedAt: at}},
	}
	for j, r := range it.Results {
		c.Annotations = append(c.Annotations, event.Annotation{
			ID: event.AnnotationID(int64(id)<<8 + int64(j)), Task: id, Result: r, UpdatedAt: at, CompletedBy: event.UserID(j + 1),
		})
	}
	return c
}
