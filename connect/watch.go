package connect

import (
	"context"
	"time"

	"github.com/hone-ml/hone/internal/backoff"
)

const (
	// watchEvery is the time between two looks at a Label Studio that answers; one that does
	// not is looked at more often, from watchSoon on.
	watchEvery = time.Minute
	watchSoon  = 2 * time.Second
	// watchTimeout bounds one look.
	watchTimeout = 10 * time.Second
)

// Trouble says, as a sentence with its fix, what keeps hone from Label Studio: none is known,
// it does not answer, or it refuses the token. It is "" when all is well, and before the first
// look.
func (l *Link) Trouble() string {
	if _, none := l.Client(); none != nil {
		return none.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble
}

// watch looks whether Label Studio answers and takes the token, until ctx ends, and logs each
// change. A wrong token or address would otherwise show only once something is to be read or
// written.
func (l *Link) watch(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		trouble := l.lookAtLabelStudio(ctx)
		if ctx.Err() != nil {
			return
		}
		l.noteTrouble(trouble)
		pause := watchEvery
		if failures++; trouble == "" {
			failures = 0
		} else {
			pause = backoff.Exponential{Min: watchSoon, Max: watchEvery}.Delay(failures - 1)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-l.watchWake:
		}
		timer.Stop()
	}
}

// lookAtLabelStudio returns what is wrong, with its fix. That no Label Studio is known is said
// by whoever starts hone.
func (l *Link) lookAtLabelStudio(ctx context.Context) string {
	c, err := l.Client()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	steps, ok := CheckClient(ctx, c)
	if ok {
		return ""
	}
	s := steps[len(steps)-1]
	return s.Name + ": " + s.What + " (fix: " + s.Fix + ")"
}

// noteTrouble keeps what a look found, and logs it if it is new.
func (l *Link) noteTrouble(now string) {
	l.mu.Lock()
	before := l.trouble
	l.trouble = now
	l.mu.Unlock()
	switch {
	case now == before:
	case now != "":
		l.o.Logger.Warn("hone cannot work with Label Studio: " + now)
	default:
		l.o.Logger.Info("Label Studio answers, and takes the token")
	}
}
