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

// Blocking is an Encoder that computes slow parts while its caller waits. It keeps all vectors in
// memory. Its encodings equal those of an encoder whose slow parts come later, once they have
// come. It is safe for concurrent use.
type Blocking struct {
	fast Encoder
	slow []*blockingPart
}

// blockingPart is one slow encoder and its vectors.
type blockingPart struct {
	encoder BatchEncoder
	fast    Encoder // texts in which it finds no features are not encoded

	mu      sync.RWMutex
	vectors map[[16]byte][]byte // packed, by Request.Key
}

// NewBlocking returns a Blocking of a fast encoder and of slow ones, which add a dense part each,
// in this order.
func NewBlocking(fast Encoder, slow ...BatchEncoder) *Blocking {
	p := &Blocking{fast: fast}
	for _, s := range slow {
		p.slow = append(p.slow, &blockingPart{encoder: s, fast: fast, vectors: map[[16]byte][]byte{}})
	}
	return p
}

// Name implements Encoder.
func (p *Blocking) Name() string {
	name := p.fast.Name()
	for _, s := range p.slow {
		name += "+" + s.encoder.Name()
	}
	return name
}

// Parts returns the kinds of the dense parts: those of the fast encoder, and of each slow one.
func (p *Blocking) Parts() []Part {
	parts := slices.Clone(DenseParts(p.fast))
	for _, s := range p.slow {
		parts = append(parts, PartsOf(s.encoder)...)
	}
	return parts
}

// WithEmptyCache returns the same encoder without its vectors.
func (p *Blocking) WithEmptyCache() *Blocking {
	slow := make([]BatchEncoder, len(p.slow))
	for i, s := range p.slow {
		slow[i] = s.encoder
	}
	return NewBlocking(p.fast, slow...)
}

// InContext returns the vectors of a text's tokens, for EncodeTokens.
func (p *Blocking) InContext(text string, tokens []token.Token) (all [][][]float32) {
	for _, s := range p.slow {
		if s.hasTokens() {
			xs, _ := vector.UnpackTokens(s.vectorFor(Request{Text: text, Tokens: true}), len(tokens))
			all = append(all, xs)
		}
	}
	return all
}

// Fast returns the encoder without the slow parts, which has the vectors of words.
func (p *Blocking) Fast() Encoder { return p.fast }

// Precompute computes the requested vectors that are missing, in batches, one on each core.
// Unless nil, progress is called after each batch with the number of vectors that are done and
// of all, over all encoders. After an error, which is an encoder's or the context's, the
// vectors that were computed stay.
func (p *Blocking) Precompute(ctx context.Context, requests []Request, progress func(done, all int)) error {
	missing := make([][]Request, len(p.slow))
	all := 0
	for i, s := range p.slow {
		missing[i] = s.missing(requests)
		all += len(missing[i])
	}
	var mu sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range p.slow {
		for part := range slices.Chunk(missing[i], 64) {
			g.Go(func() error {
				if err := s.add(ctx, part); err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				if done += len(part); progress != nil {
					progress(done, all)
				}
				return nil
			})
		}
	}
	return g.Wait()
}

func (s *blockingPart) hasTokens() bool {
	_, ok := s.encoder.(TokenEncoder)
	return ok
}

// missing returns the requests that have no vector and may get one, each once, sorted by text.
func (s *blockingPart) missing(requests []Request) []Request {
	seen := map[[16]byte]bool{}
	requests = slices.DeleteFunc(slices.Clone(requests), func(n Request) bool {
		k := n.Key()
		_, ok := s.vector(k)
		ok = ok || seen[k] || n.Tokens && !s.hasTokens()
		seen[k] = true
		return ok
	})
	slices.SortFunc(requests, func(a, b Request) int { return strings.Compare(a.Text, b.Text) })
	return requests
}

func (s *blockingPart) add(ctx context.Context, requests []Request) error {
	requests = slices.DeleteFunc(slices.Clone(requests), func(n Request) bool { return !n.Tokens && s.fast.Encode(n.Text).Empty() })
	packed, err := EncodeRequests(ctx, s.encoder, requests)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range requests {
		s.vectors[n.Key()] = packed[i]
	}
	return nil
}

func (s *blockingPart) vector(k [16]byte) (b []byte, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, ok = s.vectors[k]
	return b, ok
}

// vectorFor returns the packed vector of a request and computes it if it is missing; nil if that
// fails.
func (s *blockingPart) vectorFor(n Request) []byte {
	k := n.Key()
	b, ok := s.vector(k)
	if !ok && s.add(context.Background(), []Request{n}) == nil {
		b, _ = s.vector(k)
	}
	return b
}

// Encode implements Encoder. It computes vectors that were not precomputed. A part that fails is
// nil.
func (p *Blocking) Encode(text string) vector.Vector {
	v := p.fast.Encode(text)
	if v.Empty() {
		return v
	}
	v.Dense = v.Dense[:len(v.Dense):len(v.Dense)]
	for _, s := range p.slow {
		v.Dense, _ = AppendParts(v.Dense, s.encoder, s.vectorFor(Request{Text: text}))
	}
	return v
}
