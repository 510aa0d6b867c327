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
	// generationBytes bounds the vectors of texts that belong to no task, in each of two
	// generations.
	generationBytes = 8 << 20

	// dimSample is how many stored vectors load reads at most to find the dimensions.
	dimSample = 1024

	// mapBytes is roughly the size of a map entry without its vector.
	mapBytes = 120

	// reportInterval is the least time between two reports of read errors.
	reportInterval = time.Minute
)

// vectorCache holds the vectors of a slow encoder: the keys of the stored ones, those that are to
// be stored, and recent ones of texts that belong to no task. Vectors are kept packed, so that
// one is the same before and after it is stored. It is safe for concurrent use.
type vectorCache struct {
	encoder     encode.BatchEncoder
	tokenwise   bool // the encoder has vectors of tokens too
	store       VectorStore
	now         func() time.Time
	onCorrupt   func()      // called when a vector was damaged and dropped; may be nil
	onReadError func(error) // called when a stored vector cannot be read; may be nil

	mu                sync.RWMutex
	knownKeys         map[event.ContentKey]struct{} // stored or pending
	pending           map[event.ContentKey][]byte
	current, previous map[event.ContentKey][]byte
	currentBytes      int
	dims              [vector.PackedKinds]int // dimensions by kind, 0 until the first vector of the kind

	readErrorAt time.Time // last call of onReadError

	failures int
	retryAt  time.Time // before this the encoder is not called
	failure  error     // error of the last batch, nil if it succeeded
}

func newVectorCache(slow encode.BatchEncoder, store VectorStore, now func() time.Time) *vectorCache {
	_, tokenwise := slow.(encode.TokenEncoder)
	return &vectorCache{
		encoder: slow, tokenwise: tokenwise, store: store, now: now,
		knownKeys: map[event.ContentKey]struct{}{}, pending: map[event.ContentKey][]byte{}, current: map[event.ContentKey][]byte{},
	}
}

// load reads the keys and the dimensions of the stored vectors.
func (v *vectorCache) load(ctx context.Context) error {
	known := map[event.ContentKey]struct{}{}
	if err := v.store.VectorKeys(ctx, v.encoder.Name(), func(k event.ContentKey) { known[k] = struct{}{} }); err != nil {
		return err
	}
	var dims [vector.PackedKinds]int
	sampled := 0
	for k := range known {
		b, err := v.store.Vector(v.encoder.Name(), k)
		if err != nil {
			return err
		}
		if kind, dim, ok := vector.PackedAs(b); ok && dims[kind] == 0 {
			dims[kind] = dim
		}
		if sampled++; sampled == dimSample || dims[vector.PackedText] > 0 && (dims[vector.PackedTokens] > 0 || !v.tokenwise) {
			break
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.knownKeys, v.dims = known, dims
	return nil
}

// has reports whether there is a vector with the key.
func (v *vectorCache) has(k event.ContentKey) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if _, ok := v.knownKeys[k]; ok {
		return true
	}
	_, ok := v.lookupRecent(k)
	return ok
}

// lookupRecent finds a vector in the two generations. v.mu is held.
func (v *vectorCache) lookupRecent(k event.ContentKey) ([]byte, bool) {
	if b, ok := v.current[k]; ok {
		return b, true
	}
	b, ok := v.previous[k]
	return b, ok
}

// appendText appends the parts of the vector of a request's text to dense. ok is false when there is none yet.
// Parts that are missing are nil, and so are those of a text that will never have a vector.
func (v *vectorCache) appendText(dense [][]float32, request encode.Request) (_ [][]float32, ok bool) {
	n := len(dense)
	v.read(request, func(b []byte) bool {
		dense, ok = encode.AppendParts(dense[:n], v.encoder, b)
		return ok
	})
	return dense, ok
}

// tokenVectors does the like for each of the n tokens of a text, which have one part each.
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

// read calls take with the packed vector of a request, nil when there is none. If take returns
// false for a vector that should be there, the vector is dropped and computed again.
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
			// The vector is stored and may be readable later, so it is not dropped.
			v.reportReadError(err)
			take(nil)
			return
		}
	}
	if !take(b) && (ok || stored) {
		// Damaged, deleted by others, or of other tokens than the text has now.
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

// reportReadError calls onReadError, once in reportInterval at most. Models do without a vector
// that cannot be read.
func (v *vectorCache) reportReadError(err error) {
	v.mu.Lock()
	now := v.now()
	recent := now.Sub(v.readErrorAt) < reportInterval
	if !recent {
		v.readErrorAt = now
	}
	v.mu.Unlock()
	if !recent && v.onReadError != nil {
		v.onReadError(err)
	}
}

// persistIfCached has a recent vector stored, since a task requests it. It reports whether there is
// a vector with the key.
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

// backoffLeft returns how much of the pause after a failure is left.
func (v *vectorCache) backoffLeft() time.Duration {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.failure == nil {
		return 0
	}
	return max(0, v.retryAt.Sub(v.now()))
}

// lastErr returns the error of the last batch, nil if it succeeded.
func (v *vectorCache) lastErr() error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.failure
}

// encode encodes requests. If durable is set the vectors are to be stored, else they are cached.
// The errors are the encoder's, and that of a changed dimension.
func (v *vectorCache) encode(ctx context.Context, requests []encode.Request, durable bool) error {
	packed, err := encode.EncodeRequests(ctx, v.encoder, requests)
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
	for i, n := range requests {
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

// pendingCount returns the number of vectors that are to be stored.
func (v *vectorCache) pendingCount() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.pending)
}

// flush stores the pending vectors. The error is the store's.
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

// dropUnneeded deletes the stored vectors that are not needed. The error is the store's.
func (v *vectorCache) dropUnneeded(ctx context.Context, needed map[event.ContentKey]struct{}) error {
	v.mu.RLock()
	var drop []event.ContentKey
	for k := range v.knownKeys {
		_, isNeeded := needed[k]
		if _, waits := v.pending[k]; !isNeeded && !waits {
			drop = append(drop, k)
		}
	}
	v.mu.RUnlock()
	for part := range slices.Chunk(drop, 4096) { // a long transaction would delay webhooks
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
