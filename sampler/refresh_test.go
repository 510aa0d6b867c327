package sampler

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// What annotators see of the queue is what the model believes now, first places first,
// even where a task has kept its place since before the first label.
func TestTheQueueSuggestsWhatTheModelBelievesNow(t *testing.T) {
	const (
		knowing = `[{"id":"a","from_name":"c","value":{"choices":["x"]},"score":0.9}]`
		surer   = `[{"id":"b","from_name":"c","value":{"choices":["x"]},"score":0.95}]`
	)
	run(t, 100, nil, func(b *bench) {
		learned := func() {
			b.tell(&event.Learned{Project: project, Since: time.Now(), Version: "hone-1"})
			b.after(30 * time.Second)
			b.inStep()
		}
		b.brain.is(func() { b.brain.opinion = `[]` })
		b.s.Refresh(project)
		b.after(30 * time.Second)
		before := b.ls.writes()
		order := b.served()

		b.brain.is(func() { b.brain.opinion = knowing })
		learned()
		assert.Equal(t, 30, b.ls.writes()-before, "one write for each task of the queue")
		assert.Equal(t, order, b.served(), "a new suggestion moves no task")
		queued := map[event.TaskID]bool{}
		for _, id := range order[:30] {
			queued[id] = true
		}
		for _, r := range b.ls.rows {
			if queued[r.task] {
				assert.JSONEq(t, knowing, r.result())
			}
		}

		before = b.ls.writes()
		b.brain.is(func() { b.brain.opinion = surer })
		learned()
		assert.Equal(t, before, b.ls.writes(), "how sure it is of the same answer is not worth a write")

		var wrote time.Time
		b.ls.change(func() { wrote = time.Now() })
		b.brain.is(func() { b.brain.salt++ })
		learned()
		written := 0
		b.ls.change(func() {
			for _, r := range b.ls.rows {
				if r.updated.After(wrote) {
					written++
					assert.JSONEq(t, surer, r.result(), "what is written anyway says how sure the model is now")
				}
			}
		})
		assert.Positive(t, written)
	})
}

// What an earlier run wrote is not known, and may be from before any label.
func TestAfterAStartTheHeadIsWrittenAnew(t *testing.T) {
	const knowing = `[{"id":"a","from_name":"c","value":{"choices":["x"]},"score":0.9}]`
	run(t, 20, nil, func(b *bench) {
		b.ls.live = "hone-1"
		for id := event.TaskID(1); id <= 20; id++ {
			b.ls.put(id, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.008 + float64(id)*1e-6, Result: json.RawMessage(`[]`)})
		}
		b.brain.is(func() { b.brain.opinion = knowing })
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		said := map[event.TaskID]string{}
		for _, r := range b.ls.rows {
			said[r.task] = r.result()
		}
		for _, id := range b.served()[:5] {
			assert.JSONEq(t, knowing, said[id], "task %d", id)
		}
		writes := b.ls.writes()
		b.s.Refresh(project)
		b.after(time.Minute)
		assert.Equal(t, writes, b.ls.writes(), "once")
	})
}
