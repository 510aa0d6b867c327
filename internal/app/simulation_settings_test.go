package app_test

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/sampler/strategy"
	"github.com/hone-ml/hone/settings"
)

// settingValues are what people set; "" is the default.
var settingValues = map[string][]string{
	"strategy":              append(strategy.Names(), ""),
	"queue":                 {"2", "5", "25", ""},
	"random_share":          {"0", "0.5", "1", ""},
	"odds":                  {"on", "off", ""},
	"suggestions":           {settings.SuggestNever, settings.SuggestPrecise, "", ""},
	"suggestions_precision": {"0.3", "0.9", ""},
	"suggestions_off":       {"topic", "topic/Money", "stars,topic/Food", ""},
	"threshold":             {"0.1", "0.8", ""},
	"learn_from_users":      {"1", "2", "1,2", "9", "", ""},
	"learn_from_states":     {"ground_truth", "submitted", "skipped", "submitted,ground_truth,skipped", "", ""},
	"descriptions":          {`{"Money":["my card was charged","cash, bank, account"]}`, `{"topic":{"Food":["what can I eat"]}}`, ""},
	"encoder":               {"hashed", "words", "static", settings.DefaultEncoder, ""}, // the transformer works on one clock only
	"adapt":                 {settings.AdaptAuto, settings.AdaptOff, ""},                // likewise
	"of another hone":       {"whatever", ""},
}

// configure changes settings of a project, as often as it takes for hone to take them.
func (w *world) configure(r *rand.Rand) {
	p := w.any(r)
	e := &event.Configured{Project: p, At: time.Now(), Set: map[string]string{}}
	keys := slices.Sorted(maps.Keys(settingValues))
	for range 1 + r.IntN(3) {
		key := keys[r.IntN(len(keys))]
		value := settingValues[key][r.IntN(len(settingValues[key]))]
		if _, twice := e.Set[key]; twice || slices.Contains(e.Reset, key) {
			continue
		}
		if value == "" {
			e.Reset = append(e.Reset, key)
		} else {
			e.Set[key] = value
		}
	}
	w.change(e)
}

// poll turns the polling of a project on, or off again. Label Studio goes on calling hone.
func (w *world) poll(r *rand.Rand) {
	p := w.any(r)
	e := &event.Configured{Project: p, At: time.Now(), Set: map[string]string{"connection": settings.ConnectionPoll}}
	if w.set[p]["connection"] != "" && r.IntN(2) == 0 {
		e.Set, e.Reset = nil, []string{"connection"}
	}
	w.change(e)
}

// change puts a change of settings into hone's log.
func (w *world) change(e *event.Configured) {
	p := e.Project
	for range 5 {
		at := w.hone
		err := at.app.Pipeline.Publish(context.Background(), e)
		if err == nil && !at.dead.Load() {
			w.set[p] = e.Change(w.set[p])
			w.note("project %d is set up: %v, %v as by default", p, e.Set, e.Reset)
			return
		}
		w.unsure[p] = w.unsure[p] || err == nil // it may be on the disk from which hone starts again
		w.rest(30 * time.Second)
	}
	w.note("project %d cannot be set up", p)
}

// inForce is what is set for a project.
func (w *world) inForce(p event.ProjectID) map[string]string {
	have, err := w.hone.app.Store.ProjectSettings(context.Background(), p)
	w.must(err)
	return have
}

func (w *world) table() *settings.Table {
	s := w.settings("").Sampler
	return settings.NewTable(settings.Defaults{Ranking: settings.Ranking{Strategy: s.Strategy, Queue: s.Queue, RandomShare: s.RandomShare}}, strategy.Names(), encoders.BuiltIn())
}

func (w *world) values(p event.ProjectID) settings.Values { return w.table().Values(w.inForce(p)) }

// checkSettings: what hone has taken is in force, and nothing else.
func (w *world) checkSettings(p event.ProjectID) {
	have := w.inForce(p)
	if want := w.set[p]; !w.unsure[p] && !maps.Equal(have, want) {
		w.wrong("project %d has the settings %v, and was given %v", p, have, want)
	}
	if _, in := w.hone.app.Learner.Settings(p); !maps.Equal(in, have) {
		w.wrong("project %d works with the settings %v, stored are %v", p, in, have)
	}
}

// checkSuggestion: a row of the queue suggests nothing that is not to be suggested.
func (w *world) checkSuggestion(p event.ProjectID, r labelstudio.PredictionRow, by settings.Suggesting) {
	_, result, err := w.user.Prediction(context.Background(), r.ID)
	w.must(err)
	var all []regions.Region
	w.must(json.Unmarshal(result, &all))
	for _, s := range all {
		if by.Hides(s.FromName) {
			w.wrong("project %d: task %d has a suggestion of %s, which is off: %s", p, r.Task, s.FromName, result)
		}
		for _, l := range []string{"Money", "Travel", "Food", "Sport"} {
			if by.HidesLabel(s.FromName, l) && strings.Contains(string(s.Value), l) {
				w.wrong("project %d: task %d has a suggestion of %s/%s, which is off: %s", p, r.Task, s.FromName, l, result)
			}
		}
	}
}
