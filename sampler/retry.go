package sampler

import (
	"errors"
	"time"

	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/sampler/push"
)

// retryDelays are the pauses after failures.
var retryDelays = backoff.Exponential{Min: time.Second, Max: time.Minute}

// How long a push waits after failures that time alone does not mend.
const (
	gonePause         = 24 * time.Hour
	unauthorizedPause = time.Minute
)

// pushRetry says when to push again after a failure. One goroutine uses it.
type pushRetry struct {
	at       time.Time // no push before that; zero when none has failed
	failures int       // since the last push that succeeded
	gone     bool      // Label Studio does not have the project
	jitter   func() float64
}

// backoff is the pause after one more failure, give or take a half, so that many
// projects do not come back at the same moment.
func (r *pushRetry) backoff() time.Duration {
	d := retryDelays.Delay(r.failures)
	r.failures++
	return time.Duration(float64(d) * (0.5 + r.jitter()))
}

func (r *pushRetry) succeeded() { r.failures, r.at = 0, time.Time{} }

// failed records that a push has failed and returns the cause for the metrics.
func (r *pushRetry) failed(err error) (cause string) {
	now := time.Now()
	switch {
	case errors.Is(err, push.ErrGone):
		// Until the project is heard of again there is nothing to do.
		r.gone, r.at = true, now.Add(gonePause)
		return "project_gone"
	case errors.Is(err, push.ErrUnauthorized):
		r.at = now.Add(unauthorizedPause)
		return "credentials"
	}
	r.at = now.Add(r.backoff())
	return "label_studio"
}

// clear ends a pause: somebody knows better now than when it began.
func (r *pushRetry) clear() { r.at, r.gone = time.Time{}, false }
