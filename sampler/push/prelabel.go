package push

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// maxImport is how many predictions one import holds at most. Its cost grows with the
// project, not with the list, so fewer imports are cheaper.
const maxImport = 5000

// Stored says how far the predictions that Label Studio holds are what they should be.
type Stored struct {
	// Staging is the version whose predictions are made before the project goes by it, ""
	// when none is; StagingLeft how many tasks still lack theirs.
	Staging     string
	StagingLeft int
	// QueueDiffering counts places of the queue, OthersDiffering other predictions, of
	// Others, that do not suggest what the model says; OldestDiffering is since when, of
	// the one that has not for the longest time, zero for none.
	QueueDiffering, OthersDiffering, Others int
	OldestDiffering                         time.Time
	// Prelabel is how far the making of predictions for all tasks is.
	Prelabel Prelabel
}

// Prelabel is how far the making of predictions for all tasks is.
type Prelabel struct {
	// Asked is when somebody asked for it, Done when all were there and had been counted
	// in Label Studio; zero for not.
	Asked, Done time.Time
	// Tasks counts all tasks, Predicted those with a prediction of Version, Abstained those
	// of which the model says nothing, Refused those Label Studio takes none for.
	Tasks, Predicted, Abstained, Refused int
	Version                              string
	// Fault is why it was given up, "" when it was not.
	Fault string
}

// open reports whether it goes on.
func (l Prelabel) open() bool { return !l.Asked.IsZero() && l.Done.IsZero() && l.Fault == "" }

// report changes what is known of the stored predictions and tells the listener.
func (p *Project) report(change func(*Stored)) {
	before := p.stored
	if change(&p.stored); p.stored != before {
		p.listener.Holds(p.stored)
	}
}

// Prelabel has the next Push, and those after it, make predictions for all tasks that have
// none beside the queue's, until Label Studio is seen to hold them.
func (p *Project) Prelabel(asked time.Time) {
	p.abstained, p.importFailed, p.importedOf = map[event.TaskID]struct{}{}, false, 0
	p.report(func(s *Stored) { s.Prelabel = Prelabel{Asked: asked} })
}

// prelabelling reports whether predictions of all tasks are being made.
func (p *Project) prelabelling() bool { return p.stored.Prelabel.open() }

// giveUpPrelabel ends it with a reason.
func (p *Project) giveUpPrelabel(why error) {
	if p.prelabelling() {
		p.report(func(s *Stored) { s.Prelabel.Fault = why.Error() })
	}
}

// prelabel makes predictions for all tasks: many in one import, as that costs Label Studio
// least, the others one by one. It is done when a listing shows them.
func (p *Project) prelabel(ctx context.Context, ls LabelStudio) error {
	if !p.prelabelling() || p.pusher.o.Suggester == nil {
		return nil
	}
	lacking := p.countPredicted()
	if len(lacking) >= p.pusher.o.BulkAbove && !p.importFailed {
		return p.importAnswers(ctx, ls, lacking)
	}
	for _, t := range lacking {
		if p.interrupt.Pending() {
			return ErrSuperseded
		}
		if err := p.ensureModelVersion(ctx, ls, true); err != nil {
			return err
		}
		if err := p.createAnswer(ctx, ls, t, p.remote.version, false); err != nil {
			return err
		}
		p.countPredicted()
	}
	if err := p.list(ctx, ls); err != nil { // what counts is what Label Studio holds
		return err
	}
	if p.remote.version != p.queue.Version || len(p.countPredicted()) > 0 {
		return errReplan
	}
	p.report(func(s *Stored) { s.Prelabel.Done = time.Now() })
	return nil
}

// countPredicted reports how many tasks have an answer, and returns those that lack one, in
// the pool's order.
func (p *Project) countPredicted() (lacking []event.TaskID) {
	answered := p.answered()
	l := Prelabel{Asked: p.stored.Prelabel.Asked, Version: p.remote.version}
	for t := range p.pool.IDs() {
		l.Tasks++
		_, abstained := p.abstained[t]
		_, refused := p.remote.excluded[t]
		switch {
		case answered[t]:
			l.Predicted++
		case abstained:
			l.Abstained++
		case refused:
			l.Refused++
		default:
			lacking = append(lacking, t)
		}
	}
	p.report(func(s *Stored) { s.Prelabel = l })
	return lacking
}

// answered are the tasks with an answer of the queue's version.
func (p *Project) answered() map[event.TaskID]bool {
	answered := map[event.TaskID]bool{}
	for _, o := range p.remote.others {
		if o.version == p.remote.version && o.isAnswer() {
			answered[o.task] = true
		}
	}
	return answered
}

// importAnswers creates answers in one request and has them listed: errReplan. When Label
// Studio did not take them all, the others follow one by one.
func (p *Project) importAnswers(ctx context.Context, ls LabelStudio, lacking []event.TaskID) error {
	if p.importedOf > 0 && len(lacking) >= p.importedOf {
		p.importFailed = true // it said that it took some, and did not
		return errReplan
	}
	p.importedOf = len(lacking)
	var list []labelstudio.PredictionWrite
	ids := lacking[:min(maxImport, len(lacking))]
	for at := 0; at < len(ids); at += suggestionChunk {
		if p.interrupt.Pending() {
			p.importedOf = 0
			return ErrSuperseded
		}
		part := ids[at:min(at+suggestionChunk, len(ids))]
		said, err := p.suggestions(ctx, part)
		if err != nil {
			return err
		}
		for _, t := range part {
			s, known := said[t]
			if !known || !s.said {
				p.abstained[t] = struct{}{}
				continue
			}
			list = append(list, labelstudio.PredictionWrite{Task: t, Result: s.regions, Score: s.score, ModelVersion: p.remote.version})
		}
	}
	if len(list) == 0 {
		p.importedOf = 0
		return errReplan
	}
	if err := p.pusher.limit.Wait(ctx); err != nil {
		return err
	}
	p.remote.known = false
	err := ls.ImportPredictions(ctx, p.id, list)
	var partial *labelstudio.PartialImportError
	if err != nil {
		p.importFailed = true
		if !errors.As(err, &partial) && !isRefusal(err) {
			return fmt.Errorf("import %d predictions: %w", len(list), err)
		}
		p.log.WithError(err).Warn("prelabel: Label Studio did not take all that was imported; the others follow one by one")
	}
	p.pusher.o.Metrics.Writes.WithLabelValues("import").Inc()
	return errReplan
}
