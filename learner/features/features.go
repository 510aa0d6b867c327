// Package features computes what heads read of tasks' data: the vectors of a fast encoder at
// once, and those of slow encoders as they come.
package features

import (
	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/vector"
)

// Extractor computes the features that heads read of tasks' data, and caches them. It is
// safe for concurrent use.
type Extractor struct {
	encoder   encode.Encoder // the composite if there are slow encoders, else the fast one
	composite *composite     // nil without slow encoders
	cache     *cache
}

// New returns an extractor of a fast encoder and any number of slow ones. cacheBytes bounds
// the memory of its cache.
func New(fast encode.Encoder, slow []Lookup, cacheBytes int) *Extractor {
	f := &Extractor{encoder: fast, cache: newCache(cacheBytes)}
	if len(slow) > 0 {
		f.composite = &composite{Encoder: fast, slow: slow}
		f.encoder = f.composite
		f.cache.arrived = func(m missingVector) bool { return slow[m.encoder].Has(m.key) }
	}
	return f
}

// Encoder returns all encoders as one: a slow one's part is nil until it has been computed.
func (f *Extractor) Encoder() encode.Encoder { return f.encoder }

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
		f.cache.put(cacheKey(q, data), v)
	}
	return v.vector, v.encoders()
}

// Missing returns the slow encoders whose vectors of a task have not arrived.
func (f *Extractor) Missing(q *head.Spec, data []byte) EncoderSet {
	return f.encodedTask(q, data).encoders()
}

// cacheKey hashes everything on which the features of a task depend.
func cacheKey(q *head.Spec, data []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(q.Seed)
	_, _ = d.Write(data) // never fails
	return d.Sum64()
}

func (f *Extractor) encodedTask(q *head.Spec, data []byte) encodedTask {
	return f.cache.get(cacheKey(q, data), func() encodedTask {
		if f.composite == nil {
			return encodedTask{vector: q.Kind.Features(q, data, f.encoder)}
		}
		t := missTracker{composite: f.composite}
		v := q.Kind.Features(q, data, &t)
		return encodedTask{v, t.missing}
	})
}

// Requests adds to all the requests of a spec to a slow encoder for a task's data.
func (f *Extractor) Requests(q *head.Spec, encoder int, data []byte, all map[event.ContentKey]encode.Request) {
	if f.composite == nil {
		return
	}
	c := requestCollector{composite: f.composite, encoder: encoder}
	q.Kind.Features(q, data, &c)
	for _, n := range c.requests {
		all[n.Key()] = n
	}
}

// LabelRequests returns the requests of a spec to each slow encoder for its labels' names.
func (f *Extractor) LabelRequests(q *head.Spec) (all []encode.Request) {
	if f.composite == nil {
		return nil
	}
	for _, l := range q.Control.Labels {
		for _, t := range head.LabelTexts(l) {
			if !f.composite.Fast().Encode(t).Empty() {
				all = append(all, encode.Request{Text: t})
			}
		}
	}
	return all
}
