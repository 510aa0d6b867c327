package encode

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/vector"
)

// Blocking is an encoder that waits for a slow part, where time does not matter. It
// keeps every vector in memory. Its encodings are those that an encoder whose slow
// part comes later has in the end. It is safe for concurrent use.
type Blocking struct {
	fast Encoder
	slow BatchEncoder

	mu      sync.RWMutex
	vectors map[[16]byte][]byte // packed, by Request.Key
}

// NewBlocking makes one of a fast encoder and what is added to it.
func NewBlocking(fast Encoder, slow BatchEncoder) *Blocking {
	return &Blocking{fast: fast, slow: slow, vectors: map[[16]byte][]byte{}}
}

// Name implements Encoder.
func (p *Blocking) Name() string { return p.fast.Name() + "+" + p.slow.Name() }

// WithEmptyCache is the same encoder without what it keeps.
func (p *Blocking) WithEmptyCache() *Blocking { return NewBlocking(p.fast, p.slow) }

// InContext is Encode for the tokens of a text, which EncodeTokens asks for.
func (p *Blocking) InContext(text string, tokens []token.Token) ([][]float32, bool) {
	if _, ok := p.slow.(TokenEncoder); !ok {
		return nil, false
	}
	xs, _ := vector.UnpackTokens(p.vectorFor(Request{text, true}), len(tokens))
	return xs, true
}

// Fast is the encoder without the slow part, for what requests vectors of words.
func (p *Blocking) Fast() Encoder { return p.fast }

// Precompute makes what is requested and not there yet, in batches ahead of their use,
// one a core at once; progress, if not nil, is told how many are done. When it ends
// early, what was encoded stays.
func (p *Blocking) Precompute(ctx context.Context, requests []Request, progress func(done, all int)) error {
	_, tokens := p.slow.(TokenEncoder)
	seen := map[[16]byte]bool{}
	requests = slices.DeleteFunc(slices.Clone(requests), func(n Request) bool {
		k := n.Key()
		_, ok := p.vector(k)
		ok = ok || seen[k] || n.Tokens && !tokens
		seen[k] = true
		return ok
	})
	slices.SortFunc(requests, func(a, b Request) int { return strings.Compare(a.Text, b.Text) })
	var mu sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for part := range slices.Chunk(requests, 64) {
		g.Go(func() error {
			if err := p.add(ctx, part); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if done += len(part); progress != nil {
				progress(done, len(requests))
			}
			return nil
		})
	}
	return g.Wait()
}

func (p *Blocking) add(ctx context.Context, requests []Request) error {
	requests = slices.DeleteFunc(slices.Clone(requests), func(n Request) bool { return !n.Tokens && p.fast.Encode(n.Text).Empty() })
	packed, err := EncodeRequests(ctx, p.slow, requests)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, n := range requests {
		p.vectors[n.Key()] = packed[i]
	}
	return nil
}

func (p *Blocking) vector(k [16]byte) (b []byte, ok bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	b, ok = p.vectors[k]
	return b, ok
}

// met is what was made of a need, now if not before; nil should that fail.
func (p *Blocking) vectorFor(n Request) []byte {
	k := n.Key()
	b, ok := p.vector(k)
	if !ok && p.add(context.Background(), []Request{n}) == nil {
		b, _ = p.vector(k)
	}
	return b
}

// Encode implements Encoder. A text that was not warmed is encoded now; should
// that fail it goes without the slow part.
func (p *Blocking) Encode(text string) vector.Vector {
	v := p.fast.Encode(text)
	if v.Empty() {
		return v
	}
	x, _ := vector.Unpack(p.vectorFor(Request{Text: text}))
	v.Dense = append(v.Dense[:len(v.Dense):len(v.Dense)], x)
	return v
}
