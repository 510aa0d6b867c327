package learner

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/feature"
)

// VectorStore keeps the vectors of a slow encoder, by its name and the text. What
// their bytes mean is the learner's business.
type VectorStore interface {
	VectorKeys(ctx context.Context, encoder string, f func(event.TextKey)) error
	// Vector is nil when there is none.
	Vector(encoder string, key event.TextKey) ([]byte, error)
	// ChangeVectors makes all of it durable, or nothing.
	ChangeVectors(ctx context.Context, encoder string, put map[event.TextKey][]byte, drop []event.TextKey) error
	// KeepVectorsOf drops the vectors of all other encoders.
	KeepVectorsOf(ctx context.Context, encoder string) error
}

func keyOf(text string) (k event.TextKey) {
	sum := sha256.Sum256([]byte(text))
	copy(k[:], sum[:])
	return k
}

const (
	// recentVectors is how many vectors are kept of texts that belong to no task, in
	// each of two generations.
	recentVectors = 4096

	firstPause = time.Second
	longPause  = time.Minute
)

// vectors are those of a slow encoder: durable ones by their keys, those that are
// to become so, and the latest of texts of no task. It is safe for concurrent
// use. All numbers come from the packed form, so that a vector is the same
// before and after it went to disk.
type vectors struct {
	slow  feature.Slow
	store VectorStore
	now   func() time.Time

	mu         sync.RWMutex
	known      map[event.TextKey]struct{} // durable or pending
	pending    map[event.TextKey][]byte
	young, old map[event.TextKey][]byte
	dim        int // 0 until the first is seen

	fails   int
	retryAt time.Time // the encoder is left alone until then
	failed  error     // why; nil when the last batch went well
}

func newVectors(slow feature.Slow, store VectorStore, now func() time.Time) *vectors {
	return &vectors{
		slow: slow, store: store, now: now,
		known: map[event.TextKey]struct{}{}, pending: map[event.TextKey][]byte{}, young: map[event.TextKey][]byte{},
	}
}

// load reads which vectors there are.
func (v *vectors) load(ctx context.Context) error {
	known := map[event.TextKey]struct{}{}
	if err := v.store.VectorKeys(ctx, v.slow.Name(), func(k event.TextKey) { known[k] = struct{}{} }); err != nil {
		return err
	}
	dim := 0
	for k := range known {
		b, err := v.store.Vector(v.slow.Name(), k)
		if err != nil {
			return err
		}
		if len(b) > 1 {
			dim = len(b) - 1
			break
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known, v.dim = known, dim
	return nil
}

// has reports whether the vector of a text is there.
func (v *vectors) has(k event.TextKey) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if _, ok := v.known[k]; ok {
		return true
	}
	_, ok := v.recent(k)
	return ok
}

func (v *vectors) recent(k event.TextKey) ([]byte, bool) {
	if b, ok := v.young[k]; ok {
		return b, true
	}
	b, ok := v.old[k]
	return b, ok
}

// get is the vector of a text; ok is false when it is not there yet. A text that
// will never have one has nil.
func (v *vectors) get(k event.TextKey) (x []float32, ok bool) {
	v.mu.RLock()
	b, ok := v.pending[k]
	if !ok {
		b, ok = v.recent(k)
	}
	_, stored := v.known[k]
	v.mu.RUnlock()
	if !ok && stored {
		b, _ = v.store.Vector(v.slow.Name(), k)
	}
	if x, ok = feature.Unpack(b); !ok && stored {
		// Unreadable, or gone behind our back: it is encoded anew.
		v.mu.Lock()
		delete(v.known, k)
		v.mu.Unlock()
	}
	return x, ok
}

// keep sees to it that the vector of a task's text, if it is there, becomes
// durable; it is false when it is not there.
func (v *vectors) keep(k event.TextKey) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.known[k]; ok {
		return true
	}
	b, ok := v.recent(k)
	if ok {
		v.known[k], v.pending[k] = struct{}{}, b
	}
	return ok
}

// pause is how long the encoder should be left alone after a failure.
func (v *vectors) pause() time.Duration {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.failed == nil {
		return 0
	}
	return max(0, v.retryAt.Sub(v.now()))
}

func (v *vectors) fault() error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.failed
}

// encode has texts encoded; durable makes them kept beyond the process.
func (v *vectors) encode(ctx context.Context, texts []string, durable bool) error {
	xs, err := v.slow.EncodeBatch(ctx, texts)
	if err == nil && len(xs) != len(texts) {
		err = fmt.Errorf("%d vectors for %d texts", len(xs), len(texts))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	packed := make([][]byte, len(xs))
	dim := v.dim
	for i := 0; i < len(xs) && err == nil; i++ {
		if n := len(xs[i]); n > 0 {
			if dim != 0 && n != dim {
				err = fmt.Errorf("a vector of %d numbers, others have %d: is another model behind the same name?", n, dim)
			}
			dim = n
		}
		if err == nil {
			packed[i], err = feature.Pack(xs[i])
		}
	}
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			v.fails++
			v.failed = err
			v.retryAt = v.now().Add(min(firstPause<<min(v.fails-1, 6), longPause))
		}
		return fmt.Errorf("%s: %w", v.slow.Name(), err)
	}
	v.fails, v.failed, v.dim = 0, nil, dim
	for i, t := range texts {
		k := keyOf(t)
		switch {
		case durable:
			v.known[k], v.pending[k] = struct{}{}, packed[i]
		default:
			if len(v.young) >= recentVectors {
				v.old, v.young = v.young, map[event.TextKey][]byte{}
			}
			v.young[k] = packed[i]
		}
	}
	return nil
}

// waiting is how many vectors are not durable.
func (v *vectors) waiting() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.pending)
}

// flush makes pending vectors durable.
func (v *vectors) flush(ctx context.Context) error {
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

// sweep drops the durable vectors that are not needed.
func (v *vectors) sweep(ctx context.Context, needed map[event.TextKey]struct{}) error {
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
