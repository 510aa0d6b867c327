package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline"
	"pgregory.net/rapid"
)

// fate is what happens to an event each time it is handled.
type fate int

const (
	fine fate = iota
	again
	permanent
	panics
	unreadable
	fates
)

// TestFates lets events of every fate through batches of any size, with stops
// and restarts in between: each event is handled or dead, never both and never
// neither, the first handling of each is in order, and the cursor is at the end.
func TestFates(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		plan := rapid.SliceOfN(rapid.IntRange(0, int(fates)-1), 1, 40).Draw(rt, "fates")
		most := rapid.IntRange(1, 9).Draw(rt, "batch")
		commits := rapid.Bool().Draw(rt, "the handler commits")
		stopAfter := rapid.SliceOfN(rapid.IntRange(1, 10), 0, 3).Draw(rt, "calls before a stop")

		r := &rig{tb: t, path: filepath.Join(dir, fmt.Sprint(n))}
		r.open(pipeline.Options{})
		var want, wantDead []int
		for i, f := range plan {
			if fate(f) == unreadable {
				if _, err := r.log.Append(string(event.Changes), fmt.Append(nil, "rubbish ", i)); err != nil {
					rt.Fatal(err)
				}
			} else {
				r.publish(changed(i + 1))
			}
			if f := fate(f); f == fine || f == again {
				want = append(want, i+1)
			} else {
				wantDead = append(wantDead, i+1)
			}
		}

		var handled []int
		refused := map[int]bool{}
		run := func(calls int) {
			reached := make(chan struct{})
			count := 0
			r.Handle("g", event.Changes, most, func(_ context.Context, batch []event.Event, cur event.Cursor) error {
				if count++; count == calls {
					close(reached)
				}
				if len(batch) > most {
					t.Errorf("%d events at once, at most %d were asked for", len(batch), most)
				}
				ns := numbers(batch)
				for i, n := range ns {
					if i > 0 && n != ns[i-1]+1 {
						t.Errorf("a batch skips: %v", ns)
					}
					switch fate(plan[n-1]) {
					case again:
						if !refused[n] {
							refused[n] = true
							return errAgain
						}
					case permanent:
						return pipeline.MarkPermanent(errors.New("never"))
					case panics:
						panic("never")
					}
				}
				if commits {
					write, err := r.PublishTx(&cur)
					if err != nil {
						return err
					}
					if err := r.db.Update(write); err != nil {
						return err
					}
				}
				handled = append(handled, ns...)
				return nil
			})
			r.start()
			if calls > 0 {
				select {
				case <-reached:
				case <-r.caughtUp():
				}
			} else {
				wait(t, r.caughtUp())
			}
			r.close()
			r.stop = nil
			r.open(pipeline.Options{})
		}
		for _, calls := range stopAfter {
			run(calls)
		}
		run(0)

		if d := cmp.Diff(want, handled, cmpopts.EquateEmpty()); d != "" {
			rt.Errorf("handled: %s", d)
		}
		var dead []int
		for _, l := range r.letters() {
			dead = append(dead, int(l.Entry))
		}
		if d := cmp.Diff(wantDead, dead); d != "" {
			rt.Errorf("dead: %s", d)
		}
		r.close()
	})
}
