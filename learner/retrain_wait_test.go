package learner_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

func hangs(ctx context.Context, _ []string) ([][]float32, error) { <-ctx.Done(); return nil, ctx.Err() }

func TestARetrainWaitsForVectorsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDisk(t)
		s, arrive, open := ticketed()
		l := start(t, d, with(d, s))
		apply(t, l, labels(60), due(2, "asked"))
		waits := func(want string) {
			t.Helper()
			synctest.Wait()
			st := status(t, l)
			if r := st.Retrain; r == nil || !strings.HasPrefix(r.Waiting, want) || !strings.Contains(r.Waiting, "10m0s") || r.Again || st.Version != "hone-1" {
				t.Errorf("%s is live, retrain %+v, want it to wait %s", st.Version, r, want)
			}
		}
		waits("for the vectors of 60 of 60 labelled texts")
		arrive() // those of the names
		waits("for the vectors of 60 of 60 labelled texts")
		time.Sleep(9 * time.Minute)
		arrive()
		waits("for the vectors of 28 of 60 labelled texts")
		time.Sleep(9 * time.Minute) // slow, but something came
		waits("for the vectors of 28 of 60 labelled texts")
		open()
		encoded(t, l)
		st := status(t, l)
		if st.Version != "hone-2" || st.Retrain != nil || !strings.HasPrefix(st.LastRetrain.Outcome, "new version hone-2 on 60 labels, cross-validated accuracy c ") {
			t.Errorf("in the end %s is live, %+v, %+v", st.Version, st.Retrain, st.LastRetrain)
		}
	})
}

func TestARetrainGoesOnWithoutAnEncoderAndIsDoneAgain(t *testing.T) {
	for name, broken := range map[string]func(context.Context, []string) ([][]float32, error){"fails": down, "hangs": hangs} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, s := openDisk(t), new(slow)
				s.set(broken)
				l := start(t, d, with(d, s))
				apply(t, l, labels(60), due(2, "asked"))
				time.Sleep(9 * time.Minute)
				synctest.Wait()
				if st := status(t, l); st.Version != "hone-1" || st.Retrain == nil || st.Retrain.Waiting == "" || st.LastRetrain != nil {
					t.Fatalf("after nine minutes %s is live, %+v", st.Version, st.Retrain)
				}
				time.Sleep(2 * time.Minute)
				rest(t, l)
				st := status(t, l)
				if st.Version != "hone-2" || !strings.Contains(st.LastRetrain.Outcome, "60 of 60 labelled texts have no vector") {
					t.Fatalf("after eleven minutes %s is live, %+v", st.Version, st.LastRetrain)
				}
				if r := st.Retrain; r == nil || !r.Again || !strings.Contains(r.Waiting, "done again") {
					t.Errorf("what is still to do: %+v", r)
				}
				// It waits no second time: the encoder has been down for long.
				if name == "fails" {
					apply(t, l, due(3, "asked"))
					rest(t, l)
					if st := status(t, l); st.Version != "hone-3" || !st.Retrain.Again {
						t.Errorf("%s is live, %+v", st.Version, st.Retrain)
					}
				}
				_, before := names(l)
				must(t, l.Stop(bg)) // and that it is to be done again is not forgotten
				l = start(t, d, with(d, s))
				time.Sleep(time.Hour)
				rest(t, l)
				if st := status(t, l); st.Version != before || st.Retrain == nil || !st.Retrain.Again {
					t.Errorf("an hour after a restart %s is live, %+v", st.Version, st.Retrain)
				}
				s.set(nil)
				if name == "hangs" { // hone cannot end it
					must(t, l.Stop(bg))
					l = start(t, d, with(d, s))
				}
				encoded(t, l)
				st = status(t, l)
				if st.Version == before || st.Retrain != nil || strings.Contains(st.LastRetrain.Outcome, "no vector") {
					t.Errorf("in the end %s is live, %+v, %+v", st.Version, st.Retrain, st.LastRetrain)
				}
			})
		})
	}
}

func TestARollbackCallsOffARetrainThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		l := start(t, d, with(d, s))
		apply(t, l, labels(60))
		apply(t, l, due(2, "asked"))
		encoded(t, l)
		s.set(down)
		more := labels(80)
		more.Tasks, more.Annotations = more.Tasks[60:], more.Annotations[60:]
		apply(t, l, more, due(3, "asked"), due(4, learner.ReasonSchedule))
		time.Sleep(time.Minute)
		if r := status(t, l).Retrain; r == nil || r.Reason != "asked" || r.Waiting == "" {
			t.Errorf("the schedule takes a person's place: %+v", r)
		}
		apply(t, l, &event.RollbackDue{Project: 1, At: at(5), To: "hone-1"})
		s.set(nil)
		encoded(t, l)
		if st := status(t, l); st.Version != "hone-1" || st.Retrain != nil || !st.SettingsHeld {
			t.Errorf("%s is live, %+v", st.Version, st.Retrain)
		}
	})
}

// What is refused for what it is will never have a vector, and nobody waits for it.
func TestARetrainDoesNotWaitForWhatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		s.set(func(_ context.Context, texts []string) ([][]float32, error) {
			return make([][]float32, len(texts)), nil
		})
		l := start(t, d, with(d, s))
		apply(t, l, unsure(60), due(2, "asked"))
		encoded(t, l)
		if st := status(t, l); st.Version != "hone-2" || st.Retrain != nil || strings.Contains(st.LastRetrain.Outcome, "no vector") {
			t.Errorf("%s is live, %+v, %+v", st.Version, st.Retrain, st.LastRetrain)
		}
		// A choice that waits goes on too, where the same examples come out.
		edits := &event.Changed{Project: 1, At: at(3)}
		for i := range event.TaskID(20) {
			edits.Tasks = append(edits.Tasks, event.Task{ID: i + 1, Data: data(topics["app"][i%5] + " of the card"), UpdatedAt: at(3)})
		}
		apply(t, l, edits)
		encoded(t, l)
		other := openDisk(t)
		never := start(t, other, with(other, s))
		apply(t, never, unsure(60), edits)
		encoded(t, never)
		same(t, never, l, alike)
		if a, b := chosen(t, other), chosen(t, d); a != b {
			t.Errorf("settings %s, want %s", b, a)
		}
	})
}
