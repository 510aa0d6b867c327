package sampler

import (
	"context"
	"errors"
	"maps"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
)

// fakeAcquisitions stores in memory.
type fakeAcquisitions struct {
	mu     sync.Mutex
	of     map[event.TaskID]event.Acquisition
	writes int
	full   bool // the disk is
}

func (f *fakeAcquisitions) Acquisitions(context.Context, event.ProjectID) (map[event.TaskID]event.Acquisition, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.of), nil
}

func (f *fakeAcquisitions) PutAcquisitions(_ context.Context, _ event.ProjectID, of map[event.TaskID]event.Acquisition) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return errors.New("no space left on device")
	}
	if f.of == nil {
		f.of = map[event.TaskID]event.Acquisition{}
	}
	maps.Copy(f.of, of)
	f.writes++
	return nil
}

func (f *fakeAcquisitions) get(t event.TaskID) (event.Acquisition, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.of[t]
	return a, ok
}

// Of each label it is known how its task was asked: by which place, strategy and snapshot, at
// random or not at all. What the disk refused is stored with the next queue.
func TestAcquisitionOfEachLabel(t *testing.T) {
	f := &fakeAcquisitions{}
	run(t, 100, func(o *Options, _ *bench) { o.Acquisitions = f }, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		var random, byStrategy event.TaskID
		place := 0
		queued := map[event.TaskID]bool{}
		for i, item := range b.s.Next(project) {
			queued[item.Task] = true
			if item.Random {
				random = item.Task
				a, ok := f.get(item.Task)
				assert.True(t, ok && a.Random, "known before it is labelled: %+v", a)
			} else if byStrategy == 0 && i > 0 {
				byStrategy, place = item.Task, i+1
			}
		}
		assert.Len(t, f.of, 3)
		var outside event.TaskID
		for id := event.TaskID(1); outside == 0; id++ {
			if !queued[id] {
				outside = id
			}
		}
		f.full = true
		b.label(byStrategy)
		b.after(30 * time.Second)
		_, ok := f.get(byStrategy)
		assert.False(t, ok)
		f.full = false
		b.label(random, outside)
		b.after(30 * time.Second)
		got, _ := f.get(byStrategy)
		assert.Equal(t, event.Acquisition{Place: place, Strategy: "margin"}, got)
		got, _ = f.get(random)
		assert.True(t, got.Random)
		got, ok = f.get(outside)
		assert.Equal(t, event.Acquisition{}, got)
		assert.True(t, ok)

		// One write a label, together with what newly is queued at random.
		before := f.writes
		for range 10 {
			b.label(b.next()[0])
			b.after(10 * time.Second)
		}
		assert.Equal(t, 10, f.writes-before)
	})
}

// A task that was queued at random and labelled while hone did not run counts as random.
func TestAcquisitionOfLabelsWhileHoneIsDown(t *testing.T) {
	f := &fakeAcquisitions{}
	var random event.TaskID
	run(t, 100, func(o *Options, _ *bench) { o.Acquisitions = f }, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		for _, item := range b.s.Next(project) {
			if item.Random {
				random = item.Task
			}
		}
	})
	run(t, 100, func(o *Options, b *bench) {
		o.Acquisitions = f
		b.brain.labelled[random] = true
	}, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		got, ok := f.get(random)
		assert.True(t, ok && got.Random && got.Place > 0, "%+v", got)
		b.s.Refresh(project) // the whole pool anew
		b.after(30 * time.Second)
		got, _ = f.get(random)
		assert.True(t, got.Random)
	})
}

// The confidence is the mean over the pool of the probability of the likeliest label.
func TestConfidenceOfThePool(t *testing.T) {
	run(t, 5000, nil, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		st, ok := b.s.Status(project)
		require.True(t, ok)
		got := st.Confidence["c"]
		assert.InDelta(t, 5000/3, got.Tasks, 100, "a sample is enough")
		var sum, squares, n float64
		all, _, err := b.brain.Estimates(t.Context(), project, tasksOf(5000))
		require.NoError(t, err)
		for _, e := range all {
			v := e[0].Confidence()
			sum, squares, n = sum+v, squares+v*v, n+1
		}
		assert.InDelta(t, sum/n, got.Mean, 4*math.Sqrt(got.Variance/float64(got.Tasks)))
	})
}

func tasksOf(n int) (out []event.Task) {
	for _, id := range seq(n) {
		out = append(out, event.Task{ID: id})
	}
	return out
}
