//go:build unix

package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/internal/newslike"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/sampler/strategy"
	"github.com/hone-ml/hone/state"
	"github.com/hone-ml/hone/vector"
)

// madeVectors is an encoder that adds the two parts of a transformer to the vectors of another, made
// up from a hash of the text: what they cost, without what computing them costs.
type madeVectors struct{ encode.Encoder }

func (madeVectors) Name() string { return "made" }

func (madeVectors) Parts() []encode.Part {
	return []encode.Part{encode.Words, encode.Middle, encode.Sentence}
}

func (e madeVectors) Encode(text string) vector.Vector {
	v := e.Encoder.Encode(text)
	if v.Empty() {
		return v
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return vector.Vector{Terms: v.Terms, Scale: v.Scale, Norm2: v.Norm2, Dense: append(slices.Clone(v.Dense), madeParts(h.Sum64())...)}
}

func madeParts(seed uint64) (parts [][]float32) {
	random := rand.New(rand.NewPCG(seed, 1))
	for range 2 {
		d := make([]float32, 384)
		for i := range d {
			d[i] = (2*random.Float32() - 1) / 11.3 // of length 1, about
		}
		parts = append(parts, d)
	}
	return parts
}

// madeSketches makes a task's sketch up from its id, as long as those of its vector.
type madeSketches struct {
	*learner.Learner
	words []float32
	made  *atomic.Int64 // so many
}

func (m madeSketches) Sketches(ctx context.Context, p event.ProjectID, tasks []event.Task) (sketches [][]byte, whole []bool, space string, err error) {
	if _, _, space, err = m.Learner.Sketches(ctx, p, nil); err != nil || space == "" {
		return nil, nil, space, err
	}
	var b vector.Buffer
	for _, t := range tasks {
		v := vector.Vector{Dense: append([][]float32{m.words}, madeParts(uint64(t.ID))...)}
		sketches, whole = append(sketches, v.Sketch(&b)), append(whole, true)
	}
	m.made.Add(int64(len(tasks)))
	return sketches, whole, space, nil
}

// BenchmarkLargePool is one annotation in a large pool, from when the sampler hears of it to the new
// queue, and the memory that learner and sampler then hold. Tasks are read from a database as always;
// vectors and sketches are made up. cpu-ms is what all cores spent, also for what was begun before,
// and does not depend on what else the machine does.
func BenchmarkLargePool(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		dir := b.TempDir()
		filled := false
		for _, name := range []string{strategy.NameMargin, strategy.NameCoverage} {
			b.Run(fmt.Sprintf("%s/pool=%d", name, n), func(b *testing.B) {
				if !filled {
					fillPool(b, dir, n)
					filled = true
				}
				benchmarkLargePool(b, dir, n, name)
			})
		}
	}
}

func benchmarkLargePool(b *testing.B, dir string, n int, name string) {
	defer debug.SetGCPercent(debug.SetGCPercent(12)) // what hone serve sets with as large a heap
	before := heapBytes()
	store, err := state.Open(dir, state.Options{})
	require.NoError(b, err)
	defer func() { require.NoError(b, store.Close()) }()
	c := largePoolCore(b, store)
	defer func() { require.NoError(b, c.Close()) }()
	encoder := largePoolEncoder(b)
	ranked := make(chan uint64, 1000)
	o := sampler.Defaults()
	o.Pool, o.Scorer, o.Vectors, o.Contents, o.Strategy = store, c.Learner, c.Learner, c.Learner, name
	made := new(atomic.Int64)
	o.Sketcher = madeSketches{c.Learner, encoder.Encode("made up").Dense[0], made}
	o.Observer = func(x sampler.Observation) {
		if x.Stage == sampler.Ranked {
			ranked <- x.Rank
		}
	}
	s, err := sampler.New(o)
	require.NoError(b, err)
	require.NoError(b, s.Start(b.Context()))
	defer func() { require.NoError(b, s.Stop(context.Background())) }()
	began := time.Now()
	s.Refresh(1)
	last := <-ranked
	first := time.Since(began)
	for quiet := false; !quiet; { // until the pool has been gone through
		select {
		case last = <-ranked:
		case <-time.After(10 * time.Second):
			// But for the first ones all have a sketch then.
			quiet = name == strategy.NameCoverage || made.Load() > int64(n)*9/10
		}
	}
	require.Equal(b, name, statusOf(b, s).RankedBy)
	var took, used []time.Duration
	for b.Loop() {
		next := s.Next(1)[0].Task
		annotateOne(b, c.Learner, next)
		require.NoError(b, c.Learner.WaitSettled(b.Context()))
		began, usedBefore := time.Now(), usedCPU(b)
		require.NoError(b, s.Learned(b.Context(), []event.Event{&event.Learned{Project: 1, Since: began, Version: statusOf(b, s).Version, Tasks: []event.TaskID{next}}}, event.Cursor{}))
		for want := last + 1; last < want; {
			last = <-ranked
		}
		took, used = append(took, time.Since(began)), append(used, usedCPU(b)-usedBefore)
	}
	b.ReportMetric(0, "ns/op")
	slices.Sort(took)
	slices.Sort(used)
	b.ReportMetric(float64(used[len(used)/2].Microseconds())/1000, "median-cpu-ms/queue")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms/queue")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "most-ms/queue")
	b.ReportMetric(float64(first.Milliseconds())/1000, "s-to-first-queue")
	b.ReportMetric(anonymousMB(b), "anonymous-MB")
	held := heapBytes() - before
	b.ReportMetric(float64(held)/1e6, "heap-MB")
	b.ReportMetric(float64(held)/float64(n), "B/task")
}

func statusOf(b *testing.B, s *sampler.Sampler) sampler.Status {
	b.Helper()
	st, ok := s.Status(1)
	require.True(b, ok)
	return st
}

func largePoolEncoder(b *testing.B) encode.Encoder {
	b.Helper()
	e, err := encoders.Open(encoders.Static, encoders.Options{})
	require.NoError(b, err)
	return madeVectors{e.Fast}
}

func largePoolCore(b *testing.B, store *state.Store) *core.Core {
	b.Helper()
	c, err := core.New(store, core.Options{WithoutLog: true, Learner: learner.Options{Encoder: largePoolEncoder(b)}})
	require.NoError(b, err)
	require.NoError(b, c.Learner.Load(b.Context(), []event.ProjectID{1}))
	require.NoError(b, c.Learner.Start(context.Background()))
	require.NoError(b, c.Learner.WaitSettled(b.Context()))
	return c
}

// fillPool makes a database of a project with n tasks, of which a few are labelled.
func fillPool(b *testing.B, dir string, n int) {
	b.Helper()
	store, err := state.Open(dir, state.Options{})
	require.NoError(b, err)
	c := largePoolCore(b, store)
	texts := newslike.Make(10_000, 4, 1)
	const batch = 10_000
	for from := 0; from < n; from += batch {
		e := &event.Changed{Project: 1, LabelConfig: largePoolConfig, At: time.Now()}
		for i := from; i < from+batch; i++ {
			t := texts[i%len(texts)]
			data, err := json.Marshal(map[string]string{"text": strconv.Itoa(i) + " " + t.Text})
			require.NoError(b, err)
			e.Tasks = append(e.Tasks, event.Task{ID: event.TaskID(i + 1), Data: data, UpdatedAt: e.At})
			if i < largePoolLabels {
				e.Annotations = append(e.Annotations, largePoolAnnotation(b, i+1, t.Label))
			}
		}
		require.NoError(b, c.Learner.Apply(b.Context(), []event.Event{e}, event.Cursor{Topic: event.Changes, Group: "learner"}))
	}
	require.NoError(b, c.Learner.WaitSettled(b.Context()))
	require.NoError(b, c.Close())
	require.NoError(b, store.Close())
}

// largePoolLabels is such that settings are not chosen anew while it is measured: made-up vectors have no
// weight that would stay.
const largePoolLabels = 600

var largePoolConfig = "<View><Text name='t' value='$text'/><Choices name='topic' toName='t'>" +
	strings.Join([]string{"<Choice value='topic A'/>", "<Choice value='topic B'/>", "<Choice value='topic C'/>", "<Choice value='topic D'/>"}, "") + "</Choices></View>"

func largePoolAnnotation(b *testing.B, task int, label string) event.Annotation {
	b.Helper()
	result, err := json.Marshal(apptest.Answer(label))
	require.NoError(b, err)
	return event.Annotation{ID: event.AnnotationID(task), Task: event.TaskID(task), UpdatedAt: time.Now(), Result: result}
}

// annotateOne has the learner learn an answer to a task.
func annotateOne(b *testing.B, l *learner.Learner, task event.TaskID) {
	b.Helper()
	e := &event.Changed{Project: 1, Source: event.FromWebhook, At: time.Now(), Annotations: []event.Annotation{largePoolAnnotation(b, int(task), "topic A")}}
	require.NoError(b, l.Apply(b.Context(), []event.Event{e}, event.Cursor{Topic: event.Changes, Group: "learner"}))
}

// usedCPU is what the process has spent so far.
func usedCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// anonymousMB is the memory of the process but for the pages of files.
func anonymousMB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // not Linux
	}
	for line := range strings.Lines(string(status)) {
		if kb, is := strings.CutPrefix(line, "RssAnon:"); is {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")))
			require.NoError(b, err)
			return float64(n) * 1024 / 1e6
		}
	}
	return 0
}
