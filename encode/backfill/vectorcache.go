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

	// complainEvery is the least time between two complaints.
	complainEvery = time.Minute
)

// vectorCache holds the vectors of a slow encoder: durable ones by their keys, those
// that are to become so, and the latest of texts of no task. It is safe for concurrent
// use. All numbers come from the packed form, so that a vector is the same
// before and after it went to disk.
type vectorCache struct {
	slow        encode.BatchEncoder
	tokenwise   bool // slow has vectors of tokens too
	store       VectorStore
	now         func() time.Time
	onCorrupt   func()      // is told of a vector that was there and is no use; nil for nobody
	onReadError func(error) // is told that a stored vector cannot be read; nil for nobody

	mu                sync.RWMutex
	known             map[event.TextKey]struct{} // durable or pending
	pending           map[event.TextKey][]byte
	current, previous map[event.TextKey][]byte
	currentBytes      int
	dims              [vector.PackedKinds]int // of texts' vectors and of tokens', 0 until the first is seen

	unreadAt time.Time // when that was last told

	fails   int
	retryAt time.Time // the encoder is left alone until then
	failed  error     // why; nil when the last batch went well
}

func newVectorCache(slow encode.BatchEncoder, store VectorStore, now func() time.Time) *vectorCache {
	_, tokenwise := slow.(encode.TokenEncoder)
	return &vectorCache{
		slow: slow, tokenwise: tokenwise, store: store, now: now,
		known: map[event.TextKey]struct{}{}, pending: map[event.TextKey][]byte{}, current: map[event.TextKey][]byte{},
	}
}

// load reads which vectors there are.
func (v *vectorCache) load(ctx context.Context) error {
	known := map[event.TextKey]struct{}{}
	if err := v.store.VectorKeys(ctx, v.slow.Name(), func(k event.TextKey) { known[k] = struct{}{} }); err != nil {
		return err
	}
	var dims [vector.PackedKinds]int
	looks := 0
	for k := range known {
		b, err := v.store.Vector(v.slow.Name(), k)
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
	v.known, v.dims = known, dims
	return nil
}

// has reports whether the vector of a text is there.
func (v *vectorCache) has(k event.TextKey) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if _, ok := v.known[k]; ok {
		return true
	}
	_, ok := v.lookupRecent(k)
	return ok
}

func (v *vectorCache) lookupRecent(k event.TextKey) ([]byte, bool) {
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
	_, stored := v.known[k]
	v.mu.RUnlock()
	if !ok && stored {
		var err error
		if b, err = v.store.Vector(v.slow.Name(), k); err != nil {
			// It is there, and was paid for: what cannot be read now may be later.
			v.unread(err)
			take(nil)
			return
		}
	}
	if !take(b) && (ok || stored) {
		// Unreadable, gone behind our back, or of other tokens than today's.
		v.mu.Lock()
		for _, from := range []map[event.TextKey][]byte{v.pending, v.current, v.previous} {
			delete(from, k)
		}
		delete(v.known, k)
		v.mu.Unlock()
		if v.onCorrupt != nil {
			v.onCorrupt()
		}
	}
}

// unread says, once a minute at most, that a stored vector cannot be read: the
// models do without it until it can.
func (v *vectorCache) unread(err error) {
	v.mu.Lock()
	now := v.now()
	said := now.Sub(v.unreadAt) < complainEvery
	if !said {
		v.unreadAt = now
	}
	v.mu.Unlock()
	if !said && v.onReadError != nil {
		v.onReadError(err)
	}
}

// persistIfCached sees to it that the vector of a task's text, if it is there, becomes
// durable; it is false when it is not there.
func (v *vectorCache) persistIfCached(k event.TextKey) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.known[k]; ok {
		return true
	}
	b, ok := v.lookupRecent(k)
	if ok {
		v.known[k], v.pending[k] = struct{}{}, b
	}
	return ok
}

// backoffLeft is how long the encoder should be left alone after a failure.
func (v *vectorCache) backoffLeft() time.Duration {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.failed == nil {
		return 0
	}
	return max(0, v.retryAt.Sub(v.now()))
}

func (v *vectorCache) lastErr() error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.failed
}

// encode meets needs; durable makes what is made kept beyond the process.
func (v *vectorCache) encode(ctx context.Context, needs []encode.Request, durable bool) error {
	packed, err := encode.EncodeRequests(ctx, v.slow, needs)
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
			v.fails++
			v.failed = err
			v.retryAt = v.now().Add(retry.Delay(v.fails - 1))
		}
		return fmt.Errorf("%s: %w", v.slow.Name(), err)
	}
	v.fails, v.failed, v.dims = 0, nil, dims
	for i, n := range needs {
		k := n.Key()
		switch {
		case durable:
			v.known[k], v.pending[k] = struct{}{}, packed[i]
		default:
			if v.currentBytes > generationBytes {
				v.previous, v.current, v.currentBytes = v.current, map[event.TextKey][]byte{}, 0
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
	if err := v.store.ChangeVectors(ctx, v.slow.Name(), put, nil); err != nil {
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
func (v *vectorCache) sweep(ctx context.Context, needed map[event.TextKey]struct{}) error {
	v.mu.RLock()
	var drop []event.TextKey
	for k := range v.known {
		_, need := needed[k]
		if _, waits := v.pending[k]; !need && !waits {
			drop = append(drop, k)
		}
	}
	v.mu.RUnlock()
	for part := range slices.Chunk(drop, 4096) { // a long write would keep webhooks waiting
		v.mu.Lock()
		for _, k := range part {
			delete(v.known, k)
		}
		v.mu.Unlock()
		if err := v.store.ChangeVectors(ctx, v.slow.Name(), nil, part); err != nil {
			return err
		}
	}
	return nil
}
