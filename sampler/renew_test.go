package sampler

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// What an older hone suggested gets ids that can be shown, in the queue, behind it and
// where somebody asked /predict, and nothing else of it changes.
func TestOldIDsDoNotStay(t *testing.T) {
	const (
		suggested = `[{"id":"hone/c/0-4","from_name":"c","to_name":"t","value":{"labels":["x"]},"score":0.9}]`
		theirs    = `[{"id":"hone/of/mine","from_name":"c","to_name":"t"}]`
	)
	renewed := strings.Replace(suggested, "hone/c/0-4", regions.ID("c")+"-0-4", 1)
	run(t, 60, nil, func(b *bench) {
		b.ls.live = "hone-1"
		put := func(id event.TaskID, version string, score float64, result string) labelstudio.PredictionID {
			time.Sleep(time.Second) // simulated
			return b.ls.put(id, labelstudio.PredictionWrite{ModelVersion: version, Score: score, Result: json.RawMessage(result)})
		}
		odd := put(52, "hone-1", 0.6, theirs)
		empty := put(1, "hone-1", 0.008, `[]`)
		for id := event.TaskID(2); id <= 30; id++ {
			put(id, "hone-1", 0.008+float64(id)*1e-6, suggested)
		}
		asked := put(50, "hone-1", 0.7, suggested)
		foreign := put(51, "another-1", 0.7, suggested)
		b.brain.is(func() { b.brain.opinion = renewed })
		b.s.Refresh(project)
		b.after(3 * time.Minute)
		b.inStep()
		for id, r := range b.ls.rows {
			switch id {
			case foreign:
				assert.JSONEq(t, suggested, r.result(), "another's version is not touched")
			case empty:
			case odd:
				assert.JSONEq(t, theirs, r.result())
			default:
				assert.JSONEq(t, renewed, r.result(), "task %d", r.task)
			}
		}
		assert.InDelta(t, 0.7, *b.ls.rows[asked].score, 0, "its place is that of before")
		writes, reads := b.ls.writes(), b.ls.readsBesideChecks()
		b.s.Refresh(project)
		b.after(10 * time.Minute)
		assert.Equal(t, writes, b.ls.writes(), "once")
		assert.Equal(t, reads, b.ls.readsBesideChecks())
	})
}

// The queue stands by then: a request that fails is no trouble of the project's.
func TestRenewingIDsIsNoTroubleOfTheQueue(t *testing.T) {
	const suggested = `[{"id":"hone/c","from_name":"c","to_name":"t","value":{"choices":["x"]}}]`
	run(t, 60, nil, func(b *bench) {
		b.ls.live = "hone-1"
		asked := b.ls.put(50, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.5, Result: json.RawMessage(suggested)})
		failed := 0
		b.ls.fault = func(string) (error, bool) {
			if failed < min(2, readsBesideChecks(b.ls.calls)) {
				failed++
				return apiError(503), false
			}
			return nil, false
		}
		b.s.Refresh(project)
		b.after(30 * time.Second)
		b.inStep()
		b.after(5 * time.Minute)
		assert.JSONEq(t, strings.Replace(suggested, "hone/c", regions.ID("c"), 1), b.ls.rows[asked].result())
	})
}

// Where no older hone has been, that costs one request a start.
func TestIDsOfTodayAreLookedAtOnce(t *testing.T) {
	suggested := `[{"id":"` + regions.ID("c") + `-0-4","from_name":"c","to_name":"t","value":{"labels":["x"]}}]`
	run(t, 60, nil, func(b *bench) {
		b.ls.live = "hone-1"
		for id := event.TaskID(1); id <= 50; id++ {
			b.ls.put(id, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.5, Result: json.RawMessage(suggested)})
		}
		b.s.Refresh(project)
		b.after(10 * time.Minute)
		assert.Equal(t, 1, b.ls.readsBesideChecks())
	})
}
