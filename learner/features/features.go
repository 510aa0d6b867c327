// Package features computes what heads read of tasks' data: the vectors of a fast encoder at
// once, and those of slow encoders as they come.
package features

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/vector"
)

// pool holds what extractors share: the slow encoders and a cache. It is safe for concurrent use.
type pool struct {
	slow  []Lookup
	cache *cache
}

func newPool(slow []Lookup, cacheBytes int) *pool {
	p := &pool{slow: slow, cache: newCache(cacheBytes)}
	p.cache.arrived = func(m missingVector) bool { return p.has(int(m.encoder), m.key) }
	return p
}

// has reports whether a slow encoder has computed what was asked for under a key.
func (p *pool) has(encoder int, key event.ContentKey) bool { return p.slow[encoder].Has(key) }

// Extractor computes the features that heads read of tasks' data with one encoder, and caches
// them. It is safe for concurrent use.
type Extractor struct {
	encoder   encode.Encoder // the composite if there are slow encoders, else the fast one
	composite *composite     // nil without slow encoders
	name      string         // of encoder
	seed      uint64         // tells the entries of one encoder in the cache from those of another
	parts     EncoderSet     // the slow ones
	*pool
}

// extractor returns an extractor of an encoder whose slow parts are in the pool.
func (p *pool) extractor(e Encoding) *Extractor {
	f := &Extractor{encoder: e.Fast, pool: p}
	if len(e.Slow) > 0 {
		f.composite = &composite{Encoder: e.Fast}
		for _, part := range e.Slow {
			i := slices.IndexFunc(p.slow, func(l Lookup) bool { return l.Name() == part.Name() })
			f.composite.slow = append(f.composite.slow, slowPart{place: i, Lookup: p.slow[i]})
			f.parts = f.parts.With(i)
		}
		f.encoder = f.composite
	}
	f.name = f.encoder.Name()
	f.seed = xxhash.Sum64String(f.name)
	return f
}

// Adapted returns an extractor with one more part, which a slow encoder that has adapters computes with
// the adapter of that name. It caches what it computes under a name of its own.
func (f *Extractor) Adapted(encoder int, adapter string) *Extractor {
	out := &Extractor{pool: f.pool, parts: f.parts.With(encoder)}
	out.composite = &composite{Encoder: f.encoder}
	if f.composite != nil {
		out.composite = &composite{f.composite.Encoder, slices.Clone(f.composite.slow)}
	}
	out.composite.slow = append(out.composite.slow, slowPart{encoder, adapter, f.slow[encoder]})
	out.encoder = out.composite
	out.name = out.encoder.Name()
	out.seed = xxhash.Sum64String(out.name)
	return out
}

// Encoder returns all encoders as one: a slow one's part is nil until it has been computed.
func (f *Extractor) Encoder() encode.Encoder { return f.encoder }

// Name returns the name of Encoder.
func (f *Extractor) Name() string { return f.name }

// Slow returns the slow encoders of the extractor.
func (f *Extractor) Slow() EncoderSet { return f.parts }

// Task returns the features of a task, empty when it has no text.
func (f *Extractor) Task(q *head.Spec, data []byte) vector.Vector {
	return f.encodedTask(q, data).vector
}

// Example returns the features of a task to be kept as an example: compact, and in memory
// that heads which read the same objects share. missing holds the slow encoders whose
// vectors have not arrived.
func (f *Extractor) Example(q *head.Spec, data []byte) (x vector.Vector, missing EncoderSet) {
	v := f.encodedTask(q, data)
	if compact := v.vector.Compact(); v.vector.Packed == nil && compact.Packed != nil {
		v.vector = compact
		f.cache.put(f.cacheKey(q, data), v)
	}
	return v.vector, v.encoders()
}

// Missing returns the slow encoders whose vectors of a task have not arrived.
func (f *Extractor) Missing(q *head.Spec, data []byte) EncoderSet {
	return f.encodedTask(q, data).encoders()
}

// cacheKey hashes everything on which the features of a task depend.
func (f *Extractor) cacheKey(q *head.Spec, data []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(q.Seed ^ f.seed)
	_, _ = d.Write(data) // never fails
	return d.Sum64()
}

func (f *Extractor) encodedTask(q *head.Spec, data []byte) encodedTask {
	return f.cache.get(f.cacheKey(q, data), func() encodedTask {
		if f.composite == nil {
			return encodedTask{vector: q.Kind.Features(q, data, f.encoder)}
		}
		t := missTracker{composite: f.composite}
		v := q.Kind.Features(q, data, &t)
		return encodedTask{v, t.missing}
	})
}

// Requests adds to all the requests of a spec to a slow encoder for a task's data, none when the
// extractor does not have the encoder.
func (f *Extractor) Requests(q *head.Spec, encoder int, data []byte, all map[event.ContentKey]encode.Request) {
	if !f.parts.Has(encoder) {
		return
	}
	c := requestCollector{composite: f.composite, encoder: encoder}
	q.Kind.Features(q, data, &c)
	for _, n := range c.requests {
		all[n.Key()] = n
	}
}

// LabelRequests returns the requests of a spec to a slow encoder for its labels' names, none when
// the extractor does not have the encoder.
func (f *Extractor) LabelRequests(q *head.Spec, encoder int) (all []encode.Request) {
	if !f.parts.Has(encoder) {
		return nil
	}
	part := f.composite.slow[slices.IndexFunc(f.composite.slow, func(s slowPart) bool { return s.place == encoder })]
	for class := range q.Control.Labels {
		for _, t := range q.LabelTexts(class) {
			if !f.composite.Fast().Encode(t).Empty() {
				all = append(all, part.request(t))
			}
		}
	}
	return all
}

// Unencoded returns for each slow encoder the requests of specs for tasks that have no vector
// yet, in the order of the tasks. An encoder that lacks none is not in the map.
func (f *Extractor) Unencoded(specs []*head.Spec, tasks []event.Task) (out map[int][]encode.Request) {
	if f.composite == nil {
		return nil
	}
	var seen map[missingVector]bool
	for _, t := range tasks {
		for _, q := range specs {
			for i := range f.Missing(q, t.Data).Each {
				if out == nil {
					out, seen = map[int][]encode.Request{}, map[missingVector]bool{}
				}
				requests := map[event.ContentKey]encode.Request{}
				f.Requests(q, i, t.Data, requests)
				for k, r := range requests {
					if m := (missingVector{uint32(i), k}); !seen[m] && !f.has(i, k) {
						seen[m] = true
						out[i] = append(out[i], r)
					}
				}
			}
		}
	}
	return out
}

// Needed says what specs read of one slow encoder. It is safe for concurrent use.
type Needed struct {
	Features *Extractor
	Encoder  int
	Specs    []*head.Spec
}

// LabelNames returns the requests for the names of labels.
func (n Needed) LabelNames() (all []encode.Request) {
	for _, q := range n.Specs {
		all = append(all, n.Features.LabelRequests(q, n.Encoder)...)
	}
	return all
}

// Requests adds the requests for a task's data to all, by their keys.
func (n Needed) Requests(data []byte, all map[event.ContentKey]encode.Request) {
	for _, q := range n.Specs {
		n.Features.Requests(q, n.Encoder, data, all)
	}
}
