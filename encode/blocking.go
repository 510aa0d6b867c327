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

// Patient is an encoder that waits for a slow part, where time does not matter. It
// keeps every vector in memory. Its encodings are those that an encoder whose slow
// part comes later has in the end. It is safe for concurrent use.
type Patient struct {
	fast Encoder
	slow Slow

	mu      sync.RWMutex
	vectors map[[16]byte][]byte // packed, by Need.Key
}

// NewPatient makes one of a fast encoder and what is added to it.
func NewPatient(fast Encoder, slow Slow) *Patient {
	return &Patient{fast: fast, slow: slow, vectors: map[[16]byte][]byte{}}
}

// Name implements Encoder.
func (p *Patient) Name() string { return p.fast.Name() + "+" + p.slow.Name() }

// Fresh is the same encoder without what it keeps.
func (p *Patient) Fresh() *Patient { return NewPatient(p.fast, p.slow) }

// InContext is Encode for the tokens of a text, which EncodeTokens asks for.
func (p *Patient) InContext(text string, tokens []token.Token) ([][]float32, bool) {
	if _, ok := p.slow.(SlowTokens); !ok {
		return nil, false
	}
	xs, _ := vector.UnpackTokens(p.met(Need{text, true}), len(tokens))
	return xs, true
}

// Fast is the encoder without the slow part, for what needs vectors of words.
func (p *Patient) Fast() Encoder { return p.fast }

// Warm meets the needs that have no vector yet in batches ahead of their use, one a
// core at once; progress, if not nil, is told how many are done. When it ends early,
// what was encoded stays.
func (p *Patient) Warm(ctx context.Context, needs []Need, progress func(done, all int)) error {
	_, tokens := p.slow.(SlowTokens)
	seen := map[[16]byte]bool{}
	needs = slices.DeleteFunc(slices.Clone(needs), func(n Need) bool {
		k := n.Key()
		_, ok := p.vector(k)
		ok = ok || seen[k] || n.Tokens && !tokens
		seen[k] = true
		return ok
	})
	slices.SortFunc(needs, func(a, b Need) int { return strings.Compare(a.Text, b.Text) })
	var mu sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for part := range slices.Chunk(needs, 64) {
		g.Go(func() error {
			if err := p.add(ctx, part); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if done += len(part); progress != nil {
				progress(done, len(needs))
			}
			return nil
		})
	}
	return g.Wait()
}

func (p *Patient) add(ctx context.Context, needs []Need) error {
	needs = slices.DeleteFunc(slices.Clone(needs), func(n Need) bool { return !n.Tokens && p.fast.Encode(n.Text).Empty() })
	packed, err := EncodeNeeds(ctx, p.slow, needs)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, n := range needs {
		p.vectors[n.Key()] = packed[i]
	}
	return nil
}

func (p *Patient) vector(k [16]byte) (b []byte, ok bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	b, ok = p.vectors[k]
	return b, ok
}

// met is what was made of a need, now if not before; nil should that fail.
func (p *Patient) met(n Need) []byte {
	k := n.Key()
	b, ok := p.vector(k)
	if !ok && p.add(context.Background(), []Need{n}) == nil {
		b, _ = p.vector(k)
	}
	return b
}

// Encode implements Encoder. A text that was not warmed is encoded now; should
// that fail it goes without the slow part.
func (p *Patient) Encode(text string) vector.Vector {
	v := p.fast.Encode(text)
	if v.Empty() {
		return v
	}
	x, _ := vector.Unpack(p.met(Need{Text: text}))
	v.Dense = append(v.Dense[:len(v.Dense):len(v.Dense)], x)
	return v
}
