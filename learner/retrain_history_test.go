package learner_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/state"
)

// alike is how far two hones with the same labels and texts may be apart: each is
// within the tolerance of 1e-3 of the optimum.
const alike = 2.1e-3

// unsure are labels of which every fourth is wrong, so that the settings they ask
// for are not the defaults.
func unsure(n int) *event.Changed {
	c := labels(n)
	for i := range c.Annotations {
		if i%4 == 3 {
			c.Annotations[i].Result = result(region("c", []string{"card", "money", "app"}[i%3]))
		}
	}
	return c
}

// chosen are the settings that are stored as chosen, and of which labels.
func chosen(t fataler, d *disk) string {
	t.Helper()
	st, err := d.Load(bg, 1)
	must(t, err)
	var state struct{ Chosen json.RawMessage }
	must(t, json.Unmarshal(st.LearnerState, &state))
	return string(state.Chosen)
}

// Must always hold, 2: a retrain is a function of labels and texts, whenever it was
// asked for, and leaves what one that never retrained has.
func TestARetrainAtABadMomentLeavesWhatNoneDoes(t *testing.T) {
	edit := func(l *learner.Learner) {
		apply(t, l, &event.Changed{Project: 1, At: at(3), DeletedAnnotations: []event.AnnotationID{2, 9}, DeletedTasks: []event.TaskID{20}})
		task := event.Task{ID: 5, Data: data("the card and the fee"), UpdatedAt: at(4)}
		apply(t, l, &event.Changed{Project: 1, At: at(4), Tasks: []event.Task{task}, Annotations: []event.Annotation{
			{ID: 7, Task: 7, UpdatedAt: at(4), Result: result(region("c", "app"))},
		}})
	}
	more := func(l *learner.Learner, upTo int) {
		c := unsure(upTo)
		c.Tasks, c.Annotations = c.Tasks[26:], c.Annotations[26:]
		apply(t, l, c)
	}
	again := func(t *testing.T, l *learner.Learner, d *disk, s *slow) *learner.Learner {
		must(t, l.Stop(bg))
		return start(t, d, with(d, s))
	}
	for name, do := range map[string]func(t *testing.T, l *learner.Learner, d *disk, s *slow, retrain bool) *learner.Learner{
		"while encoding": func(t *testing.T, l *learner.Learner, _ *disk, _ *slow, retrain bool) *learner.Learner {
			if retrain {
				apply(t, l, due(2, "asked"))
			}
			return l
		},
		"with the labels": func(t *testing.T, l *learner.Learner, _ *disk, _ *slow, retrain bool) *learner.Learner {
			if retrain {
				apply(t, l, due(2, "asked"), unsure(30))
			} else {
				apply(t, l, unsure(30))
			}
			return l
		},
		"twice at once": func(t *testing.T, l *learner.Learner, _ *disk, _ *slow, retrain bool) *learner.Learner {
			if retrain {
				apply(t, l, due(2, "asked"), due(2, "by another"))
				synctest.Wait()
				apply(t, l, due(3, "asked"))
			}
			return l
		},
		"amid edits and deletions": func(t *testing.T, l *learner.Learner, _ *disk, _ *slow, retrain bool) *learner.Learner {
			if retrain {
				apply(t, l, due(2, "asked"))
				time.Sleep(1500 * time.Millisecond) // some vectors are there
			}
			edit(l)
			if retrain {
				apply(t, l, due(5, "asked"))
			}
			return l
		},
		"before more labels": func(t *testing.T, l *learner.Learner, _ *disk, _ *slow, retrain bool) *learner.Learner {
			if retrain {
				apply(t, l, due(2, "asked"))
				encoded(t, l)
			}
			more(l, 31) // the same rung
			edit(l)
			return l
		},
		"before a restart": func(t *testing.T, l *learner.Learner, d *disk, s *slow, retrain bool) *learner.Learner {
			if retrain {
				apply(t, l, due(2, "asked"))
				l = again(t, l, d, s)
				time.Sleep(2500 * time.Millisecond)
				l = again(t, l, d, s)
			}
			return l
		},
		"at rest, before a restart": func(t *testing.T, l *learner.Learner, d *disk, s *slow, retrain bool) *learner.Learner {
			if retrain {
				encoded(t, l)
				apply(t, l, due(2, "asked"))
				l = again(t, l, d, s)
				rest(t, l)
				l = again(t, l, d, s)
			}
			return l
		},
		"while the encoder is down": func(t *testing.T, l *learner.Learner, _ *disk, s *slow, retrain bool) *learner.Learner {
			if retrain {
				s.set(down)
				apply(t, l, due(2, "asked"))
				time.Sleep(time.Hour)
				if st := status(t, l); st.Version != "hone-2" {
					t.Errorf("an hour without an encoder, and %s is live: %+v", st.Version, st.Retrain)
				}
				s.set(nil)
			}
			return l
		},
		"rolled back in between": func(t *testing.T, l *learner.Learner, _ *disk, _ *slow, retrain bool) *learner.Learner {
			if retrain {
				apply(t, l, due(2, "asked"))
				encoded(t, l)
				apply(t, l, &event.RollbackDue{Project: 1, At: at(3), To: "hone-1"})
			}
			more(l, 34)
			if retrain {
				encoded(t, l)
				apply(t, l, due(4, "asked"))
			}
			return l
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var disks [2]*disk
				var learners [2]*learner.Learner
				for i := range learners {
					d, s := openDisk(t), new(slow)
					if i > 0 {
						s.set(func(context.Context, []string) ([][]float32, error) { time.Sleep(time.Second); return nil, nil })
					}
					l := start(t, d, with(d, s))
					apply(t, l, unsure(26))
					l = do(t, l, d, s, i > 0)
					encoded(t, l)
					disks[i], learners[i] = d, l
				}
				if _, live := names(learners[1]); live == "hone-1" {
					t.Fatal("no retrain made a version")
				}
				same(t, learners[0], learners[1], alike)
				if a, b := chosen(t, disks[0]), chosen(t, disks[1]); a != b {
					t.Errorf("settings %s, want %s", b, a)
				}
				if st := status(t, learners[1]); st.Retrain != nil || st.SettingsHeld || !st.Settled {
					t.Errorf("in the end %+v", st)
				}
			})
		})
	}
}

// ticketed is an encoder that encodes one batch a ticket, until it is opened.
func ticketed() (s *slow, arrive, open func()) {
	tickets, opened := make(chan struct{}, 1000), make(chan struct{})
	s = new(slow)
	s.set(func(ctx context.Context, _ []string) ([][]float32, error) {
		select {
		case <-tickets:
		case <-opened:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return nil, nil
	})
	return s, func() { tickets <- struct{}{} }, sync.OnceFunc(func() { close(opened) })
}

// Whatever is labelled, edited, deleted, encoded, retrained, rolled back and
// restarted in whatever order: in the end the settings and the predictions are those
// of one that heard it all at once and never retrained.
func TestAnyOrderOfRetrainsEndsWhereNoneDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		w := &labelStudio{
			rng: rand.New(rand.NewPCG(seed, 3)), config: single, tasks: map[event.TaskID]event.Task{},
			annotations: map[event.AnnotationID]event.Annotation{},
		}
		hone := func() (d *disk, closeDisk func()) {
			dir, remove := tempDir(t)
			st, err := state.Open(dir, state.Options{})
			must(t, err)
			return &disk{Store: st}, func() { must(t, st.Close()); remove() }
		}
		begin := func(d *disk, s *slow) *learner.Learner {
			l, err := learner.New(d, with(d, s))
			must(t, err)
			must(t, l.Load(bg, []event.ProjectID{1}))
			must(t, l.Start(bg))
			return l
		}
		d, closeDisk := hone()
		defer closeDisk()
		s, arrive, open := ticketed()
		l := begin(d, s)
		defer func() { must(t, l.Stop(bg)) }()
		apply(t, l, w.say(event.Changed{LabelConfig: single}))
		back := false
		for _, what := range rapid.SliceOfN(rapid.SampledFrom([]string{
			"people", "people", "people", "people", "vectors", "vectors", "retrain", "retrain", "rollback", "restart", "rest",
		}), 0, 30).Draw(t, "acts") {
			switch what {
			case "people":
				var batch []event.Event
				for range 1 + w.rng.IntN(8) {
					batch = append(batch, w.act())
				}
				apply(t, l, batch...)
			case "vectors":
				arrive()
			case "retrain":
				apply(t, l, due(w.clock, []string{"asked", learner.ReasonSchedule}[w.rng.IntN(2)]))
			case "rollback":
				all, _ := names(l)
				back = true
				apply(t, l, &event.RollbackDue{Project: 1, At: at(w.clock), To: all[w.rng.IntN(len(all))]})
			case "restart":
				must(t, l.Stop(bg))
				l = begin(d, s)
			case "rest":
				rest(t, l)
			}
		}
		open()
		encoded(t, l)
		if status(t, l).SettingsHeld {
			if !back {
				t.Fatalf("held, and nobody rolled back")
			}
			apply(t, l, due(w.clock, "asked")) // lets go of it
			rest(t, l)
		}

		clean, closeClean := hone()
		defer closeClean()
		fresh := begin(clean, new(slow))
		defer func() { must(t, fresh.Stop(bg)) }()
		apply(t, fresh, w.all())
		encoded(t, fresh)
		same(t, fresh, l, alike)
		if a, b := chosen(t, clean), chosen(t, d); a != b {
			t.Fatalf("settings %s, want %s", b, a)
		}
		if st := status(t, l); st.Retrain != nil || st.SettingsHeld || !st.Settled {
			t.Fatalf("in the end %+v", st)
		}
	})
}
