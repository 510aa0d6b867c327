package push

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// Queue is the queue that Label Studio shall hold.
type Queue struct {
	// Tasks are the queued tasks, the one to ask about first in front.
	Tasks []event.TaskID
	// Version is the model version that the queue is written under; "" when the
	// project has none yet.
	Version string
	// Rank is the number of the queue; it grows with each new one.
	Rank uint64
	// Changed is when the newest change in it was heard; zero if there was none.
	Changed time.Time
	// Size is how many rows may lie behind the queue; 0 for Options.QueueSize.
	Size int
}

// Pool answers what a push has to know of the project's tasks. One goroutine uses it.
type Pool interface {
	// Task finds a task that nobody has labelled.
	Task(id event.TaskID) (event.Task, bool)
	// Has reports whether there is such a task.
	Has(id event.TaskID) bool
	// IsLabelled reports whether somebody has labelled the task.
	IsLabelled(id event.TaskID) bool
	// IDs are those of all tasks, labelled or not.
	IDs() iter.Seq[event.TaskID]
}

// Interrupt tells a push that it has to make way for a newer queue.
type Interrupt interface {
	// Pending reports whether something was heard that the queue does not hold yet.
	Pending() bool
	// WaitQuiet returns nil when nothing has been heard for d, ErrSuperseded as soon
	// as something is, and the context's error.
	WaitQuiet(ctx context.Context, d time.Duration) error
	// LeftAlone reports whether nothing may be written to the project any more.
	LeftAlone() bool
}

// Listener hears of what a push has done, in the goroutine that pushes. Its methods
// must return at once.
type Listener interface {
	// Placed says that Label Studio holds the first correct of all total places.
	Placed(correct, total int)
	// Wrote says that a prediction was written or deleted.
	Wrote()
	// Noted says in a sentence why Label Studio does not follow the queue; "" when it does.
	Noted(note string)
	// Holds says how far the stored predictions are what they should be.
	Holds(s Stored)
	// Reached says that a stage is done.
	Reached(stage Stage)
}

// Stage is a step of a push.
type Stage string

const (
	// FrontPushed: Label Studio holds the first places of the queue in order.
	FrontPushed Stage = "head_pushed"
	// VersionSet: the project goes by the live version.
	VersionSet Stage = "version_set"
	// Pushed: Label Studio holds the whole queue.
	Pushed Stage = "pushed"
	// Cleaned: no predictions of superseded versions are left.
	Cleaned Stage = "cleaned"
)

// Project keeps what Label Studio holds of one project equal to its queue. One
// goroutine uses it.
type Project struct {
	pusher         *Pusher
	id             event.ProjectID
	interrupt      Interrupt
	listener       Listener
	log            *logrus.Entry
	versionLimiter *rate.Limiter // how often model_version is set

	// Push writes these two, from what it is given.
	queue Queue
	pool  Pool

	remote    remoteState                 // what Label Studio holds
	inherited []labelstudio.PredictionRow // rows of an earlier run whose ids were not looked at
	surplus   surplusDelay
	writes    uint64    // predictions written so far
	checked   uint64    // how many of the writes were made before the last check
	checkAt   time.Time // when the next check is due; zero before the first listing
	frontRank uint64    // the rank of the last queue whose front was written

	stored     Stored                                    // what the listener was told
	staleSince map[event.TaskID]time.Time                // queued tasks whose rows differ from the model
	form       string                                    // the Suggester's Form when rows were last checked against the config
	swept      uint64                                    // the rank whose model all rows beside the queue were compared with
	behind     map[labelstudio.PredictionID]event.TaskID // rows behind the queue, as of the last sweep
	// Of a prelabelling: tasks of which the model says nothing, whether an import failed,
	// and how many tasks lacked a prediction when one was last tried; 0 for never.
	abstained    map[event.TaskID]struct{}
	importFailed bool
	importedOf   int
}

// NextCheck is when Push should be called though the queue has not changed; zero
// when Label Studio's predictions have never been listed.
func (p *Project) NextCheck() time.Time { return p.checkAt }

// Relist has the next Push list what Label Studio holds.
func (p *Project) Relist() {
	p.remote.known, p.remote.excluded, p.remote.imported = false, nil, false
}

// PoolReplaced says that all tasks were read anew.
func (p *Project) PoolReplaced(pool Pool) {
	p.remote.excluded, p.remote.deleted = nil, nil
	for t := range p.remote.held {
		if !pool.Has(t) {
			p.remote.markDeleted(t)
		}
	}
}

// TaskChanged says that one task was read anew.
func (p *Project) TaskChanged(id event.TaskID, deleted bool) {
	if deleted {
		p.remote.markDeleted(id)
	} else {
		delete(p.remote.deleted, id)
	}
}

// Push makes Label Studio's order that of the queue and its version the live one. It
// returns ErrSuperseded as soon as something newer is pending, though after one write
// at least, so that a stream of news still moves the front. After any other error the
// next Push lists Label Studio's predictions first.
func (p *Project) Push(ctx context.Context, q Queue, pool Pool) error {
	p.queue, p.pool = q, pool
	err := p.push(ctx)
	if err == nil || errors.Is(err, ErrSuperseded) {
		return err
	}
	p.remote.known, p.remote.excluded = false, nil
	if errors.Is(err, ErrGone) {
		p.giveUpPrelabel(err)
	}
	if isUnauthorized(err) {
		return fmt.Errorf("%w: %w", ErrUnauthorized, err)
	}
	return err
}

func (p *Project) push(ctx context.Context) error {
	ls := p.pusher.labelStudio()
	if ls == nil {
		p.listener.Noted("not connected to Label Studio: the queue is ranked but not written; set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY")
		return nil
	}
	if p.queue.Version == "" {
		p.listener.Noted("the project has no model version yet: nothing to write the queue under")
		return nil
	}
	var err error
	for round := 0; round < 5+len(p.remote.excluded); round++ {
		if !p.remote.known || p.remote.target != p.queue.Version || p.formChanged() {
			if err := p.list(ctx, ls); err != nil {
				return err
			}
		}
		if err = p.pushOnce(ctx, ls); !errors.Is(err, errReplan) {
			return err
		}
	}
	return err
}

// formChanged reports whether other answers are learned than when the rows were listed.
func (p *Project) formChanged() bool {
	return p.pusher.o.Suggester != nil && p.pusher.o.Suggester.Form(p.id) != p.form
}

func (p *Project) pushOnce(ctx context.Context, ls LabelStudio) error {
	if err := p.removeUnfit(ctx, ls); err != nil {
		return err
	}
	if err := p.deleteDuplicates(ctx, ls); err != nil {
		return err
	}
	if err := p.writeQueue(ctx, ls); err != nil {
		return err
	}
	p.listener.Noted(p.remote.note)
	p.listener.Reached(Pushed)
	for _, step := range []func(context.Context, LabelStudio) error{
		p.refreshQueue, p.trimTail, p.carryOver, p.prelabel, p.deleteOldVersions, p.refreshOthers, p.renewIDs,
	} {
		if err := step(ctx, ls); err != nil {
			return err
		}
	}
	return nil
}

// writeQueue writes the differences: the front at once, the rest when no newer
// queue has come for a while.
func (p *Project) writeQueue(ctx context.Context, ls LabelStudio) error {
	target := p.target()
	edits, correct, ok := plan(target, p.servedRows())
	if !ok {
		for _, e := range rescale(p.servedRows(), 1) {
			if err := p.apply(ctx, ls, e); err != nil {
				return err
			}
		}
		return errReplan
	}
	p.recordProgress(correct, len(target))
	applyNext := func() error {
		e := edits[0]
		edits = edits[1:]
		if err := p.apply(ctx, ls, e); err != nil {
			return err
		}
		correct = e.correctPrefix
		p.recordProgress(correct, len(target))
		return nil
	}
	front := min(p.pusher.o.Front, len(target))
	if err := p.giveWay(ctx, correct < front); err != nil {
		return err
	}
	for correct < front {
		if err := applyNext(); err != nil {
			return err
		}
		if correct < front && p.interrupt.Pending() && !p.runsOut() {
			// Rows enough may be there even if the order of the front never gets done.
			if err := p.ensureModelVersion(ctx, ls, false); err != nil {
				return err
			}
			return ErrSuperseded
		}
	}
	if err := p.ensureModelVersion(ctx, ls, true); err != nil {
		return err
	}
	for len(edits) > 0 && p.interrupt.Pending() && p.runsOut() {
		if err := applyNext(); err != nil {
			return err
		}
	}
	if len(edits) == 0 {
		return nil
	}
	if err := p.interrupt.WaitQuiet(ctx, p.pusher.o.Settle); err != nil {
		return err
	}
	if err := p.importMany(ctx, ls, edits); err != nil {
		return err
	}
	for len(edits) > 0 {
		if err := applyNext(); err != nil {
			return err
		}
		if p.interrupt.Pending() {
			return ErrSuperseded
		}
	}
	return nil
}

// recordProgress tells the listener how much of the queue Label Studio has.
func (p *Project) recordProgress(correct, total int) {
	p.listener.Placed(correct, total)
	if correct >= min(p.pusher.o.Front, total) && p.frontRank < p.queue.Rank {
		p.frontRank = p.queue.Rank
		p.listener.Reached(FrontPushed)
	}
}

// target is the queue without the tasks that Label Studio takes no prediction for.
func (p *Project) target() []event.TaskID {
	ids := make([]event.TaskID, 0, len(p.queue.Tasks))
	for _, t := range p.queue.Tasks {
		if _, excluded := p.remote.excluded[t]; !excluded {
			ids = append(ids, t)
		}
	}
	return ids
}

func setOf(ids []event.TaskID) map[event.TaskID]bool {
	set := make(map[event.TaskID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}
