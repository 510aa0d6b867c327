package sampler

import "time"

// changeInterval is from the oldest to the newest of some changes, by the times at which
// hone heard of them; zero when there are none.
type changeInterval struct{ oldest, newest time.Time }

// widen makes the interval hold another one too.
func (i *changeInterval) widen(other changeInterval) {
	if !other.oldest.IsZero() && (i.oldest.IsZero() || other.oldest.Before(i.oldest)) {
		i.oldest = other.oldest
	}
	if other.newest.After(i.newest) {
		i.newest = other.newest
	}
}

// oldestUnhandled is the time of the oldest change later than handled, as far as the
// interval tells; zero if there is none. A snapshot that only brings earlier changes
// closer to the optimum repeats their time, which is no delay.
func (i changeInterval) oldestUnhandled(handled time.Time) time.Time {
	if i.oldest.After(handled) {
		return i.oldest
	}
	if i.newest.After(handled) {
		return i.newest
	}
	return time.Time{}
}

// lagClock measures how long a change takes until it is ranked and until Label Studio
// shows it. All its times are those at which hone heard of a change.
type lagClock struct {
	unshown time.Time // of the oldest change that Label Studio does not show yet; zero if none
	ranked  time.Time // of the newest change in the ranking
	shown   time.Time // of the newest change that Label Studio shows
}

// rank records that changes are in the ranking now. since is the time of the oldest
// that was not there before; zero if none.
func (c *lagClock) rank(changes changeInterval) (since time.Time) {
	since = changes.oldestUnhandled(c.ranked)
	if t := changes.oldestUnhandled(c.shown); !t.IsZero() && (c.unshown.IsZero() || t.Before(c.unshown)) {
		c.unshown = t
	}
	if changes.newest.After(c.ranked) {
		c.ranked = changes.newest
	}
	return since
}

// show records that Label Studio shows the ranking. lag is the time since the oldest
// change that it did not show before; ok is false when there was none.
func (c *lagClock) show(now time.Time) (lag time.Duration, ok bool) {
	if c.unshown.IsZero() {
		return 0, false
	}
	lag = now.Sub(c.unshown)
	c.unshown, c.shown = time.Time{}, c.ranked
	return lag, true
}
