package learner

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/hone-ml/hone/event"
)

// vectorPatience is how long a retrain waits for encoders from which nothing
// comes. Then it goes on without, and is done again when the vectors are there.
const vectorPatience = 10 * time.Minute

// vectorWait is a retrain that waits for the vectors of labelled texts, or of the
// label names.
type vectorWait struct {
	since   time.Time
	pending pendingRetrain
	// missing is how many labelled texts of examples lack vectors; 0 means that label
	// names do.
	missing, examples atomic.Int64
	encoders          atomic.Uint64 // whose vectors are missing, an encoderSet
	ended             chan struct{}
}

func (w *vectorWait) report() *Retrain {
	r := &Retrain{Reason: w.pending.Reason, Again: w.pending.Again, Waiting: "for the vectors of the label names"}
	if n := w.missing.Load(); n > 0 {
		r.Waiting = fmt.Sprintf("for the vectors of %d of %d labelled texts", n, w.examples.Load())
	}
	if w.pending.Again {
		r.Waiting += ", to be done again with them"
	} else {
		r.Waiting += fmt.Sprintf("; if none comes for %v it goes on without", vectorPatience)
	}
	return r
}

// waitsForVectors reports whether the project's retrain is to wait, and sees to it
// that it begins when there is nothing to wait for any more.
func (l *Learner) waitsForVectors(p *project) bool {
	missing, examples, encoders := l.missingVectors(p)
	id := p.meta.Project
	if encoders == 0 {
		l.endWait(id)
		return false
	}
	was, _ := l.vectorWaits.Load(id)
	w, _ := was.(*vectorWait)
	begun := w == nil || w.pending != *p.pending
	if begun {
		l.endWait(id)
		w = &vectorWait{since: time.Now(), pending: *p.pending, ended: make(chan struct{})}
	}
	w.missing.Store(int64(missing))
	w.examples.Store(int64(examples))
	w.encoders.Store(uint64(encoders))
	if begun {
		l.vectorWaits.Store(id, w)
		if !w.pending.Again {
			l.spawn(func() { l.watchEncoders(id, w) })
		}
	}
	return w.pending.Again || l.quietFor(w) < vectorPatience
}

// quietFor is how long nothing has come of any of the encoders that a retrain waits for:
// one that is busy with other texts does not make it wait for one that is down.
func (l *Learner) quietFor(w *vectorWait) time.Duration {
	quiet := time.Duration(math.MaxInt64)
	for i := range encoderSet(w.encoders.Load()).each {
		quiet = min(quiet, l.backfills[i].QuietFor(w.since))
	}
	return quiet
}

// missingVectors counts the examples of the head that lacks the most, 0 if only label
// names lack any, and says of which encoders. What will never have a vector lacks none.
func (l *Learner) missingVectors(p *project) (missing, examples int, encoders encoderSet) {
	for _, h := range p.heads {
		if n := len(h.incomplete); n > missing {
			missing, examples = n, h.model.Len()
		}
		for _, s := range h.incomplete {
			encoders |= s
		}
	}
	if missing > 0 {
		return missing, examples, encoders
	}
	for _, h := range p.heads {
		for _, need := range l.features.labelRequests(h.Spec) {
			for i, b := range l.backfills {
				if !b.Has(need.Key()) {
					encoders = encoders.with(i)
				}
			}
		}
	}
	return 0, 0, encoders
}

// watchEncoders begins the retrain when the encoder has been quiet for too long.
func (l *Learner) watchEncoders(id event.ProjectID, w *vectorWait) {
	for {
		timer := time.NewTimer(max(time.Second, vectorPatience-l.quietFor(w)))
		select {
		case <-w.ended:
		case <-l.ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		select {
		case <-w.ended:
			return
		case <-l.ctx.Done():
			return
		default:
		}
		ln := l.lane(id)
		release := l.lockLane(ln)
		if ln.loaded() != nil {
			l.startRetrain(ln)
		}
		release()
	}
}

// endWait forgets that the project's retrain waits, if it does.
func (l *Learner) endWait(id event.ProjectID) {
	if w, ok := l.vectorWaits.LoadAndDelete(id); ok {
		close(w.(*vectorWait).ended)
	}
}
