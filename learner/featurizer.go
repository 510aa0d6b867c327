package learner

import (
	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/vector"
)

// featurizer computes the features that heads read of tasks' data, and caches them. It is
// safe for concurrent use.
type featurizer struct {
	encoder   encode.Encoder // the composite if there are slow encoders, else Options.Encoder
	composite *composite     // nil without slow encoders
	cache     *cache
}

// features returns the features of a task, empty when it has no text.
func (f *featurizer) features(q *head.Spec, data []byte) vector.Vector {
	return f.encodedTask(q, data).vector
}

// example returns the features of a task to be kept as an example: compact, and in memory
// that heads which read the same objects share. missing holds the slow encoders whose
// vectors have not arrived.
func (f *featurizer) example(q *head.Spec, data []byte) (x vector.Vector, missing encoderSet) {
	v := f.encodedTask(q, data)
	if compact := v.vector.Compact(); v.vector.Packed == nil && compact.Packed != nil {
		v.vector = compact
		f.cache.put(cacheKey(q, data), v)
	}
	return v.vector, v.encoders()
}

// cacheKey hashes everything on which the features of a task depend.
func cacheKey(q *head.Spec, data []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(q.Seed)
	_, _ = d.Write(data) // never fails
	return d.Sum64()
}

func (f *featurizer) encodedTask(q *head.Spec, data []byte) encodedTask {
	return f.cache.get(cacheKey(q, data), func() encodedTask {
		if f.composite == nil {
			return encodedTask{vector: q.Kind.Features(q, data, f.encoder)}
		}
		t := missTracker{composite: f.composite}
		v := q.Kind.Features(q, data, &t)
		return encodedTask{v, t.missing}
	})
}

// requests adds to all the requests of a spec to a slow encoder for a task's data.
func (f *featurizer) requests(q *head.Spec, encoder int, data []byte, all map[event.ContentKey]encode.Request) {
	if f.composite == nil {
		return
	}
	c := requestCollector{composite: f.composite, encoder: encoder}
	q.Kind.Features(q, data, &c)
	for _, n := range c.requests {
		all[n.Key()] = n
	}
}

// labelRequests returns the requests of a spec to each slow encoder for its labels' names.
func (f *featurizer) labelRequests(q *head.Spec) (all []encode.Request) {
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
