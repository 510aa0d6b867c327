// Package backoff says how long to wait before something is tried again, and waits.
package backoff

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Exponential is a delay that doubles with each attempt, from Min up to Max.
type Exponential struct{ Min, Max time.Duration }

// Delay is how long to wait after an attempt that failed; attempts count from 0.
func (e Exponential) Delay(attempt int) time.Duration {
	attempt = max(attempt, 0)
	if d := e.Min << attempt; attempt < 62 && d>>attempt == e.Min && d < e.Max {
		return d
	}
	return e.Max
}

// ShouldLog reports whether a failure is worth a line in the log: of those in a row,
// counted from 1, the 1st, 2nd, 4th, 8th … What fails for hours would fill it.
func ShouldLog(failures int) bool { return failures&(failures-1) == 0 }

// RetryAfter is how long the Retry-After header of an answer asks to wait, which says it
// in seconds or by a date; ok is false when it does not say.
func RetryAfter(h http.Header, now time.Time) (d time.Duration, ok bool) {
	v := h.Get("Retry-After")
	if v == "" {
		return 0, false
	}
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		return time.Duration(max(s, 0)) * time.Second, true
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0), true
	}
	return 0, false
}

// Sleep waits for d. It returns false, at once, when ctx ends.
func Sleep(ctx context.Context, d time.Duration) bool { return SleepOrWake(ctx, d, nil) }

// SleepOrWake is Sleep that also ends, with true, when it receives from wake. A nil
// wake never does.
func SleepOrWake(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
		return false
	}
	return true
}
