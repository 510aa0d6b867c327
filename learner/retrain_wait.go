package learner

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/report"
	"github.com/hone-ml/hone/learner/stored"
)

// vectorPatience is how long a retrain waits for encoders that produce nothing. Then it goes on
// without their vectors, and is repeated when they have arrived.
const vectorPatience = 10 * time.Minute

// vectorWait is the wait of a pending retrain for the vectors of labelled texts, or of the
// label names.
type vectorWait struct {
	since   time.Time
	pending stored.PendingRetrain
	// missing is the number of labelled texts, out of examples, that lack vectors; 0 means
	// that label names do.
	missing, examples atomic.Int64
	encoders          atomic.Uint64 // an features.EncoderSet: those whose vectors are missing
	ended             chan struct{}
}

func (w *vectorWait) report() *report.Retrain {
	r := &report.Retrain{Reason: w.pending.Reason, Again: w.pending.Again, Waiting: "for the vectors of the label names"}
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

// waitsForVectors reports whether the pending retrain must wait. If so, it records the wait and
// starts a goroutine that ends it after vectorPatience.
func (l *Learner) waitsForVectors(p *project) bool {
	missing, examples, encoders := l.missingVectors(p)
	id := p.meta.Project
	if encoders == 0 {
		l.endWait(id)
		return false
	}
	was, _ := l.vectorWaits.Load(id)
	w, _ := was.(*vectorWait)
	isNew := w == nil || w.pending != *p.pending
	if isNew {
		l.endWait(id)
		w = &vectorWait{since: time.Now(), pending: *p.pending, ended: make(chan struct{})}
	}
	w.missing.Store(int64(missing))
	w.examples.Store(int64(examples))
	w.encoders.Store(uint64(encoders))
	if isNew {
		l.vectorWaits.Store(id, w)
		if !w.pending.Again {
			l.spawn(func() { l.watchEncoders(id, w) })
		}
	}
	return w.pending.Again || l.quietFor(w) < vectorPatience
}

// quietFor returns for how long no encoder that the retrain waits for has produced anything.
// Encoders that it does not wait for do not count.
func (l *Learner) quietFor(w *vectorWait) time.Duration {
	quiet := time.Duration(math.MaxInt64)
	for i := range features.EncoderSet(w.encoders.Load()).Each {
		quiet = min(quiet, l.backfills[i].QuietFor(w.since))
	}
	return quiet
}

// missingVectors returns the number of examples without vectors in the head with the most, the
// number of that head's examples, and the encoders whose vectors are missing. missing is 0
// when only label names lack vectors. A text that will never have a vector lacks none.
func (l *Learner) missingVectors(p *project) (missing, examples int, encoders features.EncoderSet) {
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
		for i := range p.features.Slow().Each {
			for _, request := range p.features.LabelRequests(h.Spec, i) {
				if !l.backfills[i].Has(request.Key()) {
					encoders = encoders.With(i)
				}
			}
		}
	}
	return 0, 0, encoders
}

// watchEncoders starts the retrain when the encoders have been quiet for too long. It returns
// when the wait or the learner ends.
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

// endWait ends the wait of the project's retrain, if there is one.
func (l *Learner) endWait(id event.ProjectID) {
	if w, ok := l.vectorWaits.LoadAndDelete(id); ok {
		close(w.(*vectorWait).ended)
	}
}
