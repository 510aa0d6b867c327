package feature

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Patient is an encoder that waits for a slow part, where time does not matter. It
// keeps every vector in memory. Its encodings are those that an encoder whose slow
// part comes later has in the end. It is safe for concurrent use.
type Patient struct {
	fast Encoder
	slow Slow

	mu      sync.RWMutex
	vectors map[textKey][]byte // packed
}

// NewPatient makes one of a fast encoder and what is added to it.
func NewPatient(fast Encoder, slow Slow) *Patient {
	return &Patient{fast: fast, slow: slow, vectors: map[textKey][]byte{}}
}

// Name implements Encoder.
func (p *Patient) Name() string { return p.fast.Name() + "+" + p.slow.Name() }

// Fast is the encoder without the slow part, for what needs vectors of words.
func (p *Patient) Fast() Encoder { return p.fast }

// Warm encodes the texts that have no vector yet in batches ahead of their use, one a
// core at once; progress, if not nil, is told how many are done. When it ends early,
// what was encoded stays.
func (p *Patient) Warm(ctx context.Context, texts []string, progress func(done, all int)) error {
	texts = slices.Compact(slices.Sorted(slices.Values(texts)))
	texts = slices.DeleteFunc(texts, func(t string) bool { _, ok := p.vector(t); return ok })
	var mu sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for part := range slices.Chunk(texts, 64) {
		g.Go(func() error {
			if err := p.add(ctx, part); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if done += len(part); progress != nil {
				progress(done, len(texts))
			}
			return nil
		})
	}
	return g.Wait()
}

func (p *Patient) add(ctx context.Context, texts []string) error {
	ask := make([]string, 0, len(texts))
	for _, t := range texts {
		if !p.fast.Encode(t).Empty() {
			ask = append(ask, t)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	xs, err := p.slow.EncodeBatch(ctx, ask)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, t := range ask {
		packed, err := Pack(xs[i])
		if err != nil {
			return err
		}
		p.vectors[keyOf(t)] = packed
	}
	return nil
}

func (p *Patient) vector(text string) (x []float32, ok bool) {
	p.mu.RLock()
	b, ok := p.vectors[keyOf(text)]
	p.mu.RUnlock()
	if !ok {
		return nil, false
	}
	return Unpack(b)
}

// Encode implements Encoder. A text that was not warmed is encoded now; should
// that fail it goes without the slow part.
func (p *Patient) Encode(text string) Vector {
	v := p.fast.Encode(text)
	if v.Empty() {
		return v
	}
	x, ok := p.vector(text)
	if !ok && p.add(context.Background(), []string{text}) == nil {
		x, _ = p.vector(text)
	}
	v.Dense = append(v.Dense[:len(v.Dense):len(v.Dense)], x)
	return v
}
