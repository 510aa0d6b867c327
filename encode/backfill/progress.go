package backfill

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
)

// ErrStopped is the error of waiting for a Service that was stopped.
var ErrStopped = errors.New("the encoding of texts is stopped")

// Name is the encoder's.
func (f *Service) Name() string { return f.vectors.encoder.Name() }

// HasTokens reports whether the encoder has vectors of tokens too.
func (f *Service) HasTokens() bool { return f.vectors.tokenwise }

// Has reports whether what was asked for under a key is there.
func (f *Service) Has(k event.ContentKey) bool { return f.vectors.has(k) }

// Text is the vector of a text, of length 1; ok is false when it is not there yet. A
// text that will never have one has nil. It waits for the disk at most.
func (f *Service) Text(text string) (x []float32, ok bool) { return f.vectors.text(text) }

// Tokens is Text for the n tokens of a text.
func (f *Service) Tokens(text string, n int) (xs [][]float32, ok bool) {
	return f.vectors.tokenVectors(text, n)
}

// Now encodes requests that somebody waits for, as many as can be done before the
// context's deadline, and none while the encoder is left alone after a failure. What it
// makes is kept for a while, but not stored. The error is the encoder's.
func (f *Service) Now(ctx context.Context, requests []encode.Request) error {
	if f.vectors.backoffLeft() > 0 {
		return nil
	}
	until, bounded := ctx.Deadline()
	var longest time.Duration
	for part := range slices.Chunk(requests, batchTasks/2) {
		began := time.Now()
		if bounded && began.Add(longest).After(until) {
			return nil // to be cut off would look like a failure
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

// Progress is how far a project is.
type Progress struct {
	// Tasks is how many tasks there are, Encoded how many of them have all their vectors.
	Tasks, Encoded int
	Done           bool    // nothing is left to do
	PerSecond      float64 // texts encoded a second, lately, of all projects; 0 before any were
	Err            error   // why it does not go on, nil when it does
}

// Progress is how far a project is. It never waits for the encoder.
func (f *Service) Progress(id event.ProjectID) Progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := Progress{PerSecond: f.textsPerSecond, Err: f.vectors.lastErr()}
	if p := f.projects[id]; p != nil {
		out.Tasks, out.Encoded = len(p.tasks), len(p.tasks)-len(p.missing)
		out.Done = !p.fullScan && len(p.changedTasks) == 0 && len(p.missing) == 0 && len(p.labelNames) == 0
	}
	return out
}

// WaitIdle returns when every text has its vector and every arrival has been consumed, or
// with the context's error, or ErrStopped.
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

// QuietFor is how long nothing has come of the encoder for somebody who has waited
// since then: while attempts fail, or one takes for ever, it counts from the first.
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
