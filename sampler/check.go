package sampler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// check looks whether Label Studio still holds what it held when it was listed,
// hone's own writes since taken into account. To list it again each time would be
// too much for a project with many answers of /predict, so what is compared is
// how many predictions there are, and two of them. It returns errReplan when they
// have to be listed.
func (w *worker) check(ctx context.Context, ls LabelStudio) error {
	t := &w.theirs
	live, counts, err := ls.ModelVersion(ctx, w.id)
	if err != nil {
		return goneOr(err, "read the project's model versions")
	}
	now := time.Now()
	w.checkAt = now.Add(w.s.o.CheckEvery)
	t.live, t.counts, t.refused = live, counts, nil
	t.count(counts[t.version])
	switch n := counts[t.version]; {
	case n < t.total:
		return t.unknown("it counts %d predictions of %s, not %d", n, t.version, t.total)
	case n > t.total && t.surplus.due(now):
		return t.unknown("it counts %d predictions of %s, not %d", n, t.version, t.total)
	case n == t.total:
		t.surplus.none(now)
	}
	return w.look(ctx, ls)
}

// unknown has Label Studio's predictions be listed again.
func (t *theirs) unknown(format string, args ...any) error {
	t.known = false
	return fmt.Errorf("%w: %s", errReplan, fmt.Sprintf(format, args...))
}

// depart takes notice of a deleted task.
func (t *theirs) depart(id event.TaskID) {
	if t.held[id] == 0 {
		return
	}
	if t.departed == nil {
		t.departed = map[event.TaskID]struct{}{}
	}
	t.departed[id] = struct{}{}
}

// count forgets the rows of departed tasks when Label Studio has none of them.
func (t *theirs) count(n int) {
	gone := 0
	for id := range t.departed {
		gone += t.held[id]
	}
	if gone == 0 || n != t.total-gone {
		return
	}
	for id := range t.departed {
		delete(t.rows, id)
		delete(t.held, id)
	}
	t.extra = slices.DeleteFunc(t.extra, func(r row) bool { _, is := t.departed[r.task]; return is })
	t.total, t.departed = n, nil
}

// look reads two rows again. A Label Studio that was restored from a backup holds
// what it held at some moment. If that was before any of hone's writes, it was
// before the last one: the row is not there, another one has its id, or it has the
// time of an older write. So the last of the rows written before the check before
// this one finds nearly every restore, whatever was written since on top of it.
// And whatever else may happen, the row that was not looked at for the longest
// time finds within as many checks as the queue has rows.
func (w *worker) look(ctx context.Context, ls LabelStudio) error {
	t := &w.theirs
	var last, oldest row
	for _, r := range t.rows {
		if _, departed := t.departed[r.task]; departed {
			continue
		}
		if r.written <= w.checked && (last.id == 0 || r.after(last)) {
			last = r
		}
		if !w.isHidden(r.task) && (oldest.id == 0 || r.seenBefore(oldest)) {
			oldest = r
		}
	}
	rows := []row{last}
	if oldest.id != last.id {
		rows = append(rows, oldest)
	}
	for _, r := range rows {
		if r.id == 0 {
			continue
		}
		now, err := ls.Prediction(ctx, w.id, r.id)
		switch {
		case labelstudio.IsNotFound(err):
			return t.unknown("prediction %d of task %d is gone", r.id, r.task)
		case err != nil:
			return fmt.Errorf("read prediction %d: %w", r.id, err)
		case now.Task != r.task || now.ModelVersion != t.version || !now.UpdatedAt.Equal(r.updated):
			return t.unknown("prediction %d of task %d is not as it was written", r.id, r.task)
		}
		r.seen = time.Now()
		t.rows[r.task] = r
	}
	w.checked = w.writes
	return nil
}

// after reports whether a row was written after another, as far as known.
func (r row) after(other row) bool {
	if r.written != other.written {
		return r.written > other.written
	}
	return cmp.Or(r.updated.Compare(other.updated), cmp.Compare(r.id, other.id)) > 0
}

func (r row) seenBefore(other row) bool {
	return cmp.Or(r.seen.Compare(other.seen), cmp.Compare(r.id, other.id)) < 0
}

// mostSurplus is how long a surplus may wait, as long as a false webhook's date.
const mostSurplus = time.Hour

// surplus is about predictions that hone has not written. Most often Label Studio
// has asked /predict and keeps the answers, which change nothing: while it does so
// for a large project, listing it each minute would be in its way. So when a
// listing found nothing else, the next one waits, each time twice as long.
type surplus struct {
	found bool // the listing that is due is for a surplus
	pause time.Duration
	until time.Time
}

// due reports whether a surplus is to be looked at now.
func (s *surplus) due(now time.Time) bool {
	s.found = !now.Before(s.until)
	return s.found
}

// none says that there is no surplus.
func (s *surplus) none(now time.Time) {
	if !now.Before(s.until) {
		s.pause = 0
	}
}

// listed says what came of a listing.
func (s *surplus) listed(inVain bool, least time.Duration) {
	if s.found && inVain {
		s.pause = min(max(2*s.pause, least), mostSurplus)
		s.until = time.Now().Add(s.pause)
	} else if !inVain {
		s.pause, s.until = 0, time.Time{}
	}
	s.found = false
}
