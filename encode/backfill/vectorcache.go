package backfill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/vector"
)

const (
	// generationBytes is how many bytes of vectors are kept of texts that belong to no task,
	// in each of two generations.
	generationBytes = 8 << 20

	// dimSample is how many stored vectors are looked at for their dimensions.
	dimSample = 1024

	// mapBytes is about what an entry of a map costs beside its vector.
	mapBytes = 120

	// reportInterval is the least time between two complaints.
	reportInterval = time.Minute
)

// vectorCache holds the vectors of a slow encoder: durable ones by their keys, those
// that are to become so, and the latest of texts of no task. It is safe for concurrent
// use. All numbers come from the packed form, so that a vector is the same
// before and after it went to disk.
type vectorCache struct {
	encoder     encode.BatchEncoder
	tokenwise   bool // slow has vectors of tokens too
	store       VectorStore
	now         func() time.Time
	onCorrupt   func()      // is told of a vector that was there and is no use; nil for nobody
	onReadError func(error) // is told that a stored vector cannot be read; nil for nobody

	mu                sync.RWMutex
	knownKeys         map[event.ContentKey]struct{} // durable or pending
	pending           map[event.ContentKey][]byte
	current, previous map[event.ContentKey][]byte
	currentBytes      int
	dims              [vector.PackedKinds]int // of texts' vectors and of tokens', 0 until the first is seen

	readErrorAt time.Time // when that was last told

	failures int
	retryAt  time.Time // the encoder is left alone until then
	failure  error     // why; nil when the last batch went well
}

func newVectorCache(slow encode.BatchEncoder, store VectorStore, now func() time.Time) *vectorCache {
	_, tokenwise := slow.(encode.TokenEncoder)
	return &vectorCache{
		encoder: slow, tokenwise: tokenwise, store: store, now: now,
		knownKeys: map[event.ContentKey]struct{}{}, pending: map[event.ContentKey][]byte{}, current: map[event.ContentKey][]byte{},
	}
}

// load reads which vectors there are.
func (v *vectorCache) load(ctx context.Context) error {
	known := map[event.ContentKey]struct{}{}
	if err := v.store.VectorKeys(ctx, v.encoder.Name(), func(k event.ContentKey) { known[k] = struct{}{} }); err != nil {
		return err
	}
	var dims [vector.PackedKinds]int
	looks := 0
	for k := range known {
		b, err := v.store.Vector(v.encoder.Name(), k)
		if err != nil {
			return err
		}
		if kind, dim, ok := vector.PackedAs(b); ok && dims[kind] == 0 {
			dims[kind] = dim
		}
		if looks++; looks == dimSample || dims[vector.PackedText] > 0 && (dims[vector.PackedTokens] > 0 || !v.tokenwise) {
			break
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.knownKeys, v.dims = known, dims
	return nil
}

// has reports whether the vector of a text is there.
func (v *vectorCache) has(k event.ContentKey) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if _, ok := v.knownKeys[k]; ok {
		return true
	}
	_, ok := v.lookupRecent(k)
	return ok
}

func (v *vectorCache) lookupRecent(k event.ContentKey) ([]byte, bool) {
	if b, ok := v.current[k]; ok {
		return b, true
	}
	b, ok := v.previous[k]
	return b, ok
}

// text is the vector of a text; ok is false when it is not there yet. A text that
// will never have one has nil.
func (v *vectorCache) text(text string) (x []float32, ok bool) {
	v.read(encode.Request{Text: text}, func(b []byte) bool {
		x, ok = vector.Unpack(b)
		return ok
	})
	return x, ok
}

// tokenVectors is text for the n tokens of a text.
func (v *vectorCache) tokenVectors(text string, n int) (xs [][]float32, ok bool) {
	if !v.tokenwise {
		return nil, false
	}
	v.read(encode.Request{Text: text, Tokens: true}, func(b []byte) bool {
		xs, ok = vector.UnpackTokens(b, n)
		return ok
	})
	return xs, ok
}

// read hands over what was made of a need, nil when it is not there. What is not
// taken is made anew.
func (v *vectorCache) read(n encode.Request, take func([]byte) bool) {
	k := n.Key()
	v.mu.RLock()
	b, ok := v.pending[k]
	if !ok {
		b, ok = v.lookupRecent(k)
	}
	_, stored := v.knownKeys[k]
	v.mu.RUnlock()
	if !ok && stored {
		var err error
		if b, err = v.store.Vector(v.encoder.Name(), k); err != nil {
			// It is there, and was paid for: what cannot be read now may be later.
			v.reportReadError(err)
			take(nil)
			return
		}
	}
	if !take(b) && (ok || stored) {
		// Unreadable, gone behind our back, or of other tokens than today's.
		v.mu.Lock()
		for _, from := range []map[event.ContentKey][]byte{v.pending, v.current, v.previous} {
			delete(from, k)
		}
		delete(v.knownKeys, k)
		v.mu.Unlock()
		if v.onCorrupt != nil {
			v.onCorrupt()
		}
	}
}

// reportReadError says, once a minute at most, that a stored vector cannot be read: the
// models do without it until it can.
func (v *vectorCache) reportReadError(err error) {
	v.mu.Lock()
	now := v.now()
	said := now.Sub(v.readErrorAt) < reportInterval
	if !said {
		v.readErrorAt = now
	}
	v.mu.Unlock()
	if !said && v.onReadError != nil {
		v.onReadError(err)
	}
}

// persistIfCached sees to it that the vector of a task's text, if it is there, becomes
// durable; it is false when it is not there.
func (v *vectorCache) persistIfCached(k event.ContentKey) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.knownKeys[k]; ok {
		return true
	}
	b, ok := v.lookupRecent(k)
	if ok {
		v.knownKeys[k], v.pending[k] = struct{}{}, b
	}
	return ok
}

// backoffLeft is how long the encoder should be left alone after a failure.
func (v *vectorCache) backoffLeft() time.Duration {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.failure == nil {
		return 0
	}
	return max(0, v.retryAt.Sub(v.now()))
}

func (v *vectorCache) lastErr() error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.failure
}

// encode meets needs; durable makes what is made kept beyond the process.
func (v *vectorCache) encode(ctx context.Context, needs []encode.Request, durable bool) error {
	packed, err := encode.EncodeRequests(ctx, v.encoder, needs)
	v.mu.Lock()
	defer v.mu.Unlock()
	dims := v.dims
	for _, b := range packed {
		kind, n, _ := vector.PackedAs(b)
		if n > 0 && dims[kind] > 0 && n != dims[kind] {
			err = fmt.Errorf("a vector of %d numbers, others have %d: is another model behind the same name?", n, dims[kind])
			break
		}
		dims[kind] = max(dims[kind], n)
	}
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			v.failures++
			v.failure = err
			v.retryAt = v.now().Add(retryBackoff.Delay(v.failures - 1))
		}
		return fmt.Errorf("%s: %w", v.encoder.Name(), err)
	}
	v.failures, v.failure, v.dims = 0, nil, dims
	for i, n := range needs {
		k := n.Key()
		switch {
		case durable:
			v.knownKeys[k], v.pending[k] = struct{}{}, packed[i]
		default:
			if v.currentBytes > generationBytes {
				v.previous, v.current, v.currentBytes = v.current, map[event.ContentKey][]byte{}, 0
			}
			v.currentBytes += len(packed[i]) + mapBytes
			v.current[k] = packed[i]
		}
	}
	return nil
}

// pendingCount is how many vectors are not durable.
func (v *vectorCache) pendingCount() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.pending)
}

// flush makes pending vectors durable.
func (v *vectorCache) flush(ctx context.Context) error {
	v.mu.RLock()
	put := maps.Clone(v.pending)
	v.mu.RUnlock()
	if len(put) == 0 {
		return nil
	}
	if err := v.store.ChangeVectors(ctx, v.encoder.Name(), put, nil); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for k := range put {
		delete(v.pending, k)
	}
	return nil
}

// collectGarbage drops the durable vectors that are not needed.
func (v *vectorCache) dropUnneeded(ctx context.Context, needed map[event.ContentKey]struct{}) error {
	v.mu.RLock()
	var drop []event.ContentKey
	for k := range v.knownKeys {
		_, need := needed[k]
		if _, waits := v.pending[k]; !need && !waits {
			drop = append(drop, k)
		}
	}
	v.mu.RUnlock()
	for part := range slices.Chunk(drop, 4096) { // a long write would keep webhooks waiting
		v.mu.Lock()
		for _, k := range part {
			delete(v.knownKeys, k)
		}
		v.mu.Unlock()
		if err := v.store.ChangeVectors(ctx, v.encoder.Name(), nil, part); err != nil {
			return err
		}
	}
	return nil
}
