package learner

import (
	"sync"

	"github.com/hone-ml/hone/learner/feature"
)

// cache keeps encodings by a hash of what was encoded, within a budget of
// bytes. It has two generations: when the young one is half the budget, it
// becomes the old one and the old one goes; what is used stays young.
type cache struct{ shards [16]shard }

type shard struct {
	mu         sync.Mutex
	young, old map[uint64]feature.Vector
	bytes      int
	budget     int // of one generation
}

func newCache(bytes int) *cache {
	c := new(cache)
	for i := range c.shards {
		c.shards[i] = shard{young: map[uint64]feature.Vector{}, budget: bytes / len(c.shards) / 2}
	}
	return c
}

// get returns the encoding under the key, made by encode if it is not there.
func (c *cache) get(key uint64, encode func() feature.Vector) feature.Vector {
	s := &c.shards[key>>60]
	s.mu.Lock()
	v, ok := s.young[key]
	if !ok {
		if v, ok = s.old[key]; ok {
			s.put(key, v)
		}
	}
	s.mu.Unlock()
	if ok {
		return v
	}
	v = encode()
	s.mu.Lock()
	s.put(key, v)
	s.mu.Unlock()
	return v
}

// mapBytes is about what an entry costs beside its vector.
const mapBytes = 96

func (s *shard) put(key uint64, v feature.Vector) {
	if _, ok := s.young[key]; ok {
		return
	}
	s.young[key] = v
	s.bytes += v.Bytes() + mapBytes
	if s.bytes > s.budget {
		s.old, s.young, s.bytes = s.young, map[uint64]feature.Vector{}, 0
	}
}
