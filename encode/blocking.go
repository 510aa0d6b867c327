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

// Blocking is an encoder that waits for its slow parts, where time does not matter. It
// keeps every vector in memory. Its encodings are those that an encoder whose slow
// parts come later has in the end. It is safe for concurrent use.
type Blocking struct {
	fast Encoder
	slow []*blockingPart
}

// blockingPart is one slow encoder and what it has made.
type blockingPart struct {
	encoder BatchEncoder
	fast    Encoder // says of which texts there is nothing to encode

	mu      sync.RWMutex
	vectors map[[16]byte][]byte // packed, by Request.Key
}

// NewBlocking makes one of a fast encoder and those that each add a dense part to it, in
// this order.
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

// WithEmptyCache is the same encoder without what it keeps.
func (p *Blocking) WithEmptyCache() *Blocking {
	slow := make([]BatchEncoder, len(p.slow))
	for i, s := range p.slow {
		slow[i] = s.encoder
	}
	return NewBlocking(p.fast, slow...)
}

// InContext is Encode for the tokens of a text, which EncodeTokens asks for.
func (p *Blocking) InContext(text string, tokens []token.Token) (all [][][]float32) {
	for _, s := range p.slow {
		if s.hasTokens() {
			xs, _ := vector.UnpackTokens(s.vectorFor(Request{text, true}), len(tokens))
			all = append(all, xs)
		}
	}
	return all
}

// Fast is the encoder without the slow parts, for what requests vectors of words.
func (p *Blocking) Fast() Encoder { return p.fast }

// Precompute makes what is requested and not there yet, in batches ahead of their use,
// one a core at once; progress, if not nil, is told how many are done, of all encoders.
// When it ends early, what was encoded stays.
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

// missing are the requests that have no vector yet and may get one, each once, by text.
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

// vectorFor is what was made of a request, now if not before; nil should that fail.
func (s *blockingPart) vectorFor(n Request) []byte {
	k := n.Key()
	b, ok := s.vector(k)
	if !ok && s.add(context.Background(), []Request{n}) == nil {
		b, _ = s.vector(k)
	}
	return b
}

// Encode implements Encoder. A text that was not precomputed is encoded now; should
// that fail it goes without that part.
func (p *Blocking) Encode(text string) vector.Vector {
	v := p.fast.Encode(text)
	if v.Empty() {
		return v
	}
	v.Dense = v.Dense[:len(v.Dense):len(v.Dense)]
	for _, s := range p.slow {
		x, _ := vector.Unpack(s.vectorFor(Request{Text: text}))
		v.Dense = append(v.Dense, x)
	}
	return v
}
