package statustext

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// printed is what is printed of a project now.
func printed(p api.Project) string {
	var out bytes.Buffer
	Project(&out, p, time.Now())
	return out.String()
}

func TestStatusSaysWhyAnnotationsAreNotLearned(t *testing.T) {
	assert.NotRegexp(t, `annotations|suggestions|without text|same twice`, printed(api.Project{ID: 3}))
	assert.Regexp(t, `(?m)^  annotations +29 seen, 29 learned$`, printed(api.Project{Annotations: api.Annotations{Seen: 29, Learned: 29}}))
	out := printed(api.Project{
		Annotations:      api.Annotations{Seen: 180, Learned: 29, FromPredictions: 150, NoText: 1},
		Suggestions:      api.Suggestions{Accepted: 12, Changed: 3, Rejected: 2},
		TasksWithoutText: 4, IdenticalPairs: 5,
	})
	assert.Regexp(t, `(?m)^  annotations +180 seen, 29 learned, 150 made from predictions, 1 of tasks without text$`, out)
	assert.Regexp(t, `(?m)^  suggestions +12 accepted as they were, 3 changed, 2 rejected$`, out)
	assert.Regexp(t, `(?m)^  without text +4 tasks `, out)
	assert.Regexp(t, `(?m)^  same twice +5 tasks `, out)
}

func TestStatusSaysHowSureTheModelIsOfTheQueue(t *testing.T) {
	printed := func(confidences ...*float64) string {
		tasks := []event.TaskID{9, 4, 5, 6, 7, 8}
		return printed(api.Project{ID: 3, Queue: api.Queue{Tasks: tasks, Confidences: confidences}})
	}
	assert.Regexp(t, `(?m)^  confidence +0.61 none 0.70 1.00 0.01 in its answers to these$`, printed(new(0.6123), nil, new(0.7), new(1.0), new(0.01), new(0.5)))
	assert.NotContains(t, printed(), "confidence", "an older hone does not tell")
	assert.NotContains(t, printed(nil, nil), "confidence", "nothing is answered")
}

func TestStatusSaysWhatARetrainWaitsForAndWhatARollbackHolds(t *testing.T) {
	now := time.Now()
	p := api.Project{ID: 3, ModelVersion: "hone-1", Settled: true}
	printed := func() string {
		var out bytes.Buffer
		Project(&out, p, now)
		return out.String()
	}
	assert.NotRegexp(t, `settings|retrain`, printed())
	p.SettingsHeld = true
	p.Retrain = api.Retrain{Running: true, Waiting: "for the vectors of 3 of 40 labelled texts"}
	assert.Regexp(t, `(?m)^  settings +held since the rollback to hone-1; .*hone retrain`, printed())
	assert.Regexp(t, `(?m)^  retrain +waits for the vectors of 3 of 40 labelled texts$`, printed())
	p.Retrain = api.Retrain{Waiting: "for the vectors", Last: &now, Outcome: "new version hone-2"}
	assert.Regexp(t, `(?m)^  retrain +waits for the vectors\n  retrain +0s ago .*new version hone-2$`, printed())
	p.Retrain = api.Retrain{Running: true, Progress: 0.5, Last: &now, Outcome: "new version hone-2"}
	assert.NotContains(t, printed(), "hone-2")
	assert.Contains(t, printed(), "running, 50 %")
}

// The accuracy over all tasks comes first, with what it comes from; that over the tasks that
// were asked about is named as that, and what it is lately is said where it differs.
func TestStatusLeadsWithTheAccuracyOverAllTasks(t *testing.T) {
	estimate, low, high, asked, lately := 0.745, 0.512, 0.901, 0.26, 0.31
	h := api.Head{Control: "topic", Type: "Choices", Labels: []string{"a", "b"}}
	printed := func() string { return printed(api.Project{Heads: []api.Head{h}}) }
	assert.NotRegexp(t, `all tasks|asked tasks|accuracy`, printed(), "nothing is labelled")
	h.Examples, h.Accuracy, h.RecentAccuracy = 20, &asked, &asked
	h.PoolAccuracy = &api.PoolAccuracy{Labels: 20}
	assert.Regexp(t, `(?m)^  head topic +Choices over 2 labels, 20 examples\n +all tasks +accuracy not known: .* random_share.*\n +asked tasks +accuracy 0.260$`, printed())
	h.PoolAccuracy = &api.PoolAccuracy{Estimate: &estimate, Low: &low, High: &high, Random: 10, Labels: 100}
	h.RecentAccuracy = &lately
	assert.Regexp(t, `(?m)^ +all tasks +accuracy about 0.74 \(95 %: 0.51 to 0.90, from 10 random answers among 100 labels\)\n +asked tasks +accuracy 0.260 \(lately 0.310\)$`, printed())
}

// A first comparison of a large project takes minutes: status says how far it is. One that is soon over is
// not worth a line.
func TestStatusSaysHowFarAReadingIs(t *testing.T) {
	printed := func(r api.Reconcile) string { return printed(api.Project{ID: 3, Reconcile: &r}) }
	r := api.Reconcile{Running: true, Read: 12000, Total: 100000, SecondsLeft: 188}
	assert.Regexp(t, `(?m)^  reading +12000 of 100000 tasks compared with Label Studio, about 3m left$`, printed(r))
	r.SecondsLeft = 42
	assert.Regexp(t, `(?m)Studio, about 40s left$`, printed(r))
	r.SecondsLeft = 4
	assert.Regexp(t, `(?m)compared with Label Studio$`, printed(r))
	r.Running = false
	assert.NotContains(t, printed(r), "reading")
	assert.NotContains(t, printed(api.Reconcile{Running: true, Read: 3, Total: 40}), "reading")
}

func TestHistoryIsATable(t *testing.T) {
	estimate, low, high := 0.745, 0.512, 0.901
	var out bytes.Buffer
	History(&out, api.AccuracyHistory{})
	assert.Equal(t, "No label yet.\n", out.String())
	out.Reset()
	History(&out, api.AccuracyHistory{Points: []api.AccuracyPoint{
		{Labels: 1, Asked: map[string]float64{"topic": 0}},
		{Labels: 40, Asked: map[string]float64{"topic": 0.5}, Pool: map[string]api.PoolAccuracy{"topic": {Estimate: &estimate, Low: &low, High: &high, Random: 4}}},
	}})
	assert.Regexp(t, `(?m)^labels +control +accuracy +95 % +random +of asked tasks +at\n1 +topic +0.000 .*\n40 +topic +0.745 +0.512 to 0.901 +4 +0.500 `, out.String())
}

// Status says to how many labels the transformer has adapted, what that is worth, and what it does now.
func TestStatusSaysWhatTheTransformerHasAdaptedTo(t *testing.T) {
	at, with, without := time.Now().Add(-time.Minute), 0.81, 0.74
	for want, a := range map[string]api.Adapted{
		"adapting to the first 16 labels of c now":                                                                                          {Control: "c", AdaptingTo: 16},
		"to the first 48 labels of c, 1m0s ago (WHEN); held-out accuracy 0.810, without it 0.740":                                           {Control: "c", Labels: 48, At: &at, Accuracy: &with, AccuracyWithout: &without},
		"to the first 48 labels of c, 1m0s ago (WHEN); held-out accuracy 0.810, without it 0.740; adapting to the first 64 labels of c now": {Control: "c", Labels: 48, At: &at, Accuracy: &with, AccuracyWithout: &without, AdaptingTo: 64},
	} {
		assert.Equal(t, strings.ReplaceAll(want, "WHEN", at.Local().Format(time.DateTime)), adaptedTo(a, at.Add(time.Minute)))
	}
}
