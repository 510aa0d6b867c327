package priority_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hone-ml/hone/internal/priority"
)

// worker is work in the background that knows for how long it has run.
type worker struct {
	t        *testing.T
	mu       sync.Mutex // guards all below
	paused   bool
	unpaused time.Time // when it last went on
	ran      time.Duration
}

func addWorker(t *testing.T, f *priority.Foreground) (w *worker, remove func()) {
	w = &worker{t: t, unpaused: time.Now()}
	return w, f.AddBackground(w.pause, w.unpause)
}

func (w *worker) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused {
		w.t.Error("paused twice")
	}
	w.paused = true
	w.ran += time.Since(w.unpaused)
}

func (w *worker) unpause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.paused {
		w.t.Error("unpaused twice")
	}
	w.paused, w.unpaused = false, time.Now()
}

func (w *worker) want(paused bool, when string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused != paused {
		w.t.Errorf("%s: paused %v", when, w.paused)
	}
}

// after lets time pass, of which there is only that of the test, and then what is due happen.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// The background pauses before work in the foreground begins, and until there has been none for a while.
func TestTheBackgroundPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f priority.Foreground
		w, remove := addWorker(t, &f)
		defer remove()
		w.want(false, "nothing was ever to be done")
		f.Begin()
		w.want(true, "work has begun")
		f.Begin()
		f.End()
		after(100 * time.Millisecond)
		w.want(true, "other work goes on")
		f.End()
		after(10 * time.Millisecond)
		w.want(true, "the work has only just ended")
		f.Begin()
		f.End()
		after(19 * time.Millisecond)
		w.want(true, "as has other work")
		after(time.Millisecond)
		w.want(false, "it is quiet")
		f.Begin()
		w.want(true, "there is work again")
		f.End()
		late, removeLate := addWorker(t, &f)
		defer removeLate()
		late.want(true, "added where it is not quiet")
		after(20 * time.Millisecond)
		late.want(false, "it is quiet again")
	})
}

// Work in the background comes to an end however busy the foreground is, and hardly slower when it is not.
func TestTheBackgroundHasAShare(t *testing.T) {
	for _, c := range []struct {
		name               string
		work, rest         time.Duration
		minShare, maxShare float64
	}{
		{"always busy", time.Second, 0, .019, .021},
		{"hundred short pieces a second", 2 * time.Millisecond, 8 * time.Millisecond, .019, .021},
		{"one short piece a second", 20 * time.Millisecond, 980 * time.Millisecond, .955, .965},
		{"one long piece a minute", 10 * time.Second, 50 * time.Second, .83, .84},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f priority.Foreground
				w, remove := addWorker(t, &f)
				began := time.Now()
				f.Begin()
				for time.Since(began) < 10*time.Minute {
					after(c.work)
					if c.rest > 0 {
						f.End()
						after(c.rest)
						f.Begin()
					} else { // never a moment without work
						f.Begin()
						f.End()
					}
				}
				f.End()
				remove()
				if share := w.ran.Seconds() / time.Since(began).Seconds(); share < c.minShare || share > c.maxShare {
					t.Errorf("it ran for %.3f of the time", share)
				}
			})
		})
	}
}

// Whatever is removed goes on, once, and is left alone from then on.
func TestRemovedFromTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f priority.Foreground
		w, remove := addWorker(t, &f)
		f.Begin()
		remove()
		w.want(false, "removed")
		remove()
		f.End()
		f.Begin()
		after(time.Minute)
		f.End()
		w.want(false, "removed long ago")
	})
}
