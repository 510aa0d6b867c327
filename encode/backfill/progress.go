package backfill

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
)

// ErrStopped says that a caller waits for a Service that was stopped.
var ErrStopped = errors.New("the encoding of texts is stopped")

// Name returns the encoder's name.
func (f *Service) Name() string { return f.vectors.encoder.Name() }

// HasTokens reports whether the encoder has vectors of tokens too.
func (f *Service) HasTokens() bool { return f.vectors.tokenwise }

// Parts are the kinds of the parts of a text's vector.
func (f *Service) Parts() []encode.Part { return encode.PartsOf(f.vectors.encoder) }

// Has reports whether the vector of the request with this key has been computed.
func (f *Service) Has(k event.ContentKey) bool { return f.vectors.has(k) }

// AppendText appends the vector of a request's text to dense, each of its parts of length 1. ok is false when
// it has not been computed yet. Parts that are missing are nil, and so are those of a text that
// will never have a vector. It may read the disk and never waits for the encoder.
func (f *Service) AppendText(dense [][]float32, request encode.Request) (_ [][]float32, ok bool) {
	return f.vectors.appendText(dense, request)
}

// Tokens does the like for each of the n tokens of a text, which have one part each.
func (f *Service) Tokens(text string, n int) (xs [][]float32, ok bool) {
	return f.vectors.tokenVectors(text, n)
}

// Now encodes requests while a caller waits: as many as can be done before the context's
// deadline, and none in a pause after a failure. The vectors are cached and not stored. The
// error is the encoder's.
func (f *Service) Now(ctx context.Context, requests []encode.Request) error {
	if f.vectors.backoffLeft() > 0 {
		return nil
	}
	until, bounded := ctx.Deadline()
	var longest time.Duration
	for part := range slices.Chunk(requests, batchTasks/2) {
		began := time.Now()
		if bounded && began.Add(longest).After(until) {
			return nil // a batch that the deadline ends would count as a failure
		}
		if err := f.vectors.encode(ctx, part, false); err != nil {
			f.o.Metrics.Failures.Inc()
			return err
		}
		f.o.Metrics.Encoded.Add(float64(len(part)))
		longest = max(longest, 2*time.Since(began))
	}
	return nil
}

// Progress says how much of a project is encoded.
type Progress struct {
	// Tasks is the number of tasks, Encoded the number of those that lack no vector, as far as they
	// were compared with the vectors there are.
	Tasks, Encoded int
	Done           bool    // nothing is left to do
	PerSecond      float64 // recent number of texts encoded a second, of all projects; 0 before the first
	Err            error   // why the encoder fails, nil when it does not
}

// Progress returns how much of a project is encoded. It never waits for the encoder.
func (f *Service) Progress(id event.ProjectID) Progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := Progress{PerSecond: f.textsPerSecond, Err: f.vectors.lastErr()}
	if p := f.projects[id]; p != nil {
		out.Tasks, out.Encoded = len(p.tasks), len(p.tasks)-len(p.missing)
		if len(p.unscanned) > 0 { // the first time, or some of the tasks are counted already
			out.Tasks = max(out.Tasks, p.known)
		}
		out.Done = !p.scanning() && len(p.missing) == 0 && len(p.labelNames) == 0
	}
	return out
}

// WaitIdle returns when each text has its vector and each arrival has been consumed. The errors
// are the context's and ErrStopped.
func (f *Service) WaitIdle(ctx context.Context) error {
	for {
		f.mu.Lock()
		busy, changed := f.busy, f.idle
		f.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.life.Context().Done():
			return ErrStopped
		case <-changed:
		}
	}
}

// QuietFor returns for how long the encoder has produced nothing, for a caller that has waited
// since then. While attempts fail, or one does not end, the time counts from the first attempt.
func (f *Service) QuietFor(since time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.firstAttempt.IsZero() && f.firstAttempt.Before(since) {
		since = f.firstAttempt
	}
	if f.lastSuccess.After(since) {
		since = f.lastSuccess
	}
	return time.Since(since)
}
