package push

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/hone-ml/hone/labelstudio"
)

// check finds out whether Label Studio still holds what it held when it was listed,
// hone's own writes since taken into account. To list it again each time would be
// too much for a project with many answers of /predict, so what is compared is
// how many predictions there are, and two of them. It returns errReplan when they
// have to be listed.
func (p *Project) check(ctx context.Context, ls LabelStudio) error {
	r := &p.remote
	project, counts, err := p.readProject(ctx, ls)
	if err != nil {
		return err
	}
	now := time.Now()
	p.checkAt = now.Add(p.pusher.o.CheckEvery)
	r.live, r.counts, r.excluded = project.ModelVersion, counts, nil
	if project.LabelConfig != r.config {
		return r.disproved("its label config is another one")
	}
	r.forgetDeleted(counts[r.version])
	switch n := counts[r.version]; {
	case n < r.total:
		return r.disproved("it counts %d predictions of %s, not %d", n, r.version, r.total)
	case n > r.total && p.surplus.isDue(now):
		return r.disproved("it counts %d predictions of %s, not %d", n, r.version, r.total)
	case n == r.total:
		p.surplus.clear(now)
	}
	return p.checkRows(ctx, ls)
}

// disproved marks the remote state as wrong, so that it is listed again, and returns
// errReplan with the reason.
func (r *remoteState) disproved(format string, args ...any) error {
	r.known = false
	return fmt.Errorf("%w: %s", errReplan, fmt.Sprintf(format, args...))
}

// checkRows reads two rows again. A Label Studio that was restored from a backup holds
// what it held at some moment. If that was before any of hone's writes, it was
// before the last one: the row is not there, another one has its id, or it has the
// time of an older write. So the last of the rows written before the check before
// this one finds nearly every restore, whatever was written since on top of it.
// And whatever else may happen, the row that was not read for the longest time finds
// within as many checks as the queue has rows.
func (p *Project) checkRows(ctx context.Context, ls LabelStudio) error {
	r := &p.remote
	var last, oldest queueRow
	for _, x := range r.rows {
		if _, deleted := r.deleted[x.task]; deleted {
			continue
		}
		if x.written <= p.checked && (last.id == 0 || x.writtenAfter(last)) {
			last = x
		}
		if !p.isHidden(x.task) && (oldest.id == 0 || x.seenBefore(oldest)) {
			oldest = x
		}
	}
	rows := []queueRow{last}
	if oldest.id != last.id {
		rows = append(rows, oldest)
	}
	for _, x := range rows {
		if x.id == 0 {
			continue
		}
		now, _, err := ls.Prediction(ctx, x.id)
		switch {
		case labelstudio.IsNotFound(err):
			return r.disproved("prediction %d of task %d is gone", x.id, x.task)
		case err != nil:
			return fmt.Errorf("read prediction %d: %w", x.id, err)
		case now.Task != x.task || now.ModelVersion != r.version || !now.UpdatedAt.Equal(x.updated):
			return r.disproved("prediction %d of task %d is not as it was written", x.id, x.task)
		}
		x.seen = time.Now()
		r.rows[x.task] = x
	}
	p.checked = p.writes
	return nil
}

// writtenAfter reports whether a row was written after another, as far as known.
func (r queueRow) writtenAfter(other queueRow) bool {
	if r.written != other.written {
		return r.written > other.written
	}
	return cmp.Or(r.updated.Compare(other.updated), cmp.Compare(r.id, other.id)) > 0
}

func (r queueRow) seenBefore(other queueRow) bool {
	return cmp.Or(r.seen.Compare(other.seen), cmp.Compare(r.id, other.id)) < 0
}

// maxSurplusPause is how long a surplus may wait, as long as a false webhook's date.
const maxSurplusPause = time.Hour

// surplusDelay delays the listings that predictions cause which hone has not written. Most
// often Label Studio has asked /predict and keeps the answers, which change nothing:
// while it does so for a large project, listing it each minute would be in its way.
// So when a listing found nothing else, the next one waits, each time twice as long.
type surplusDelay struct {
	found bool // the listing that is due is for a surplus
	pause time.Duration
	until time.Time
}

// isDue reports whether a surplus causes a listing now.
func (s *surplusDelay) isDue(now time.Time) bool {
	s.found = !now.Before(s.until)
	return s.found
}

// clear records that there is no surplus.
func (s *surplusDelay) clear(now time.Time) {
	if !now.Before(s.until) {
		s.pause = 0
	}
}

// recordListing records the outcome of a listing: inVain means that it found nothing new.
func (s *surplusDelay) recordListing(inVain bool, least time.Duration) {
	if s.found && inVain {
		s.pause = min(max(2*s.pause, least), maxSurplusPause)
		s.until = time.Now().Add(s.pause)
	} else if !inVain {
		s.pause, s.until = 0, time.Time{}
	}
	s.found = false
}
