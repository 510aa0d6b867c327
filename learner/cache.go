package learner

import (
	"slices"
	"sync"

	"github.com/hone-ml/hone/vector"
)

// encodedTask is what was made of a task's data, and which slow encoders' vectors of the
// texts in it were not there yet.
type encodedTask struct {
	vector  vector.Vector
	missing []missingVector
}

// encoders are those of which vectors are missing.
func (e encodedTask) encoders() (s encoderSet) {
	for _, m := range e.missing {
		s = s.with(int(m.encoder))
	}
	return s
}

// cache keeps encodings by a hash of what was encoded, within a budget of
// bytes. It has two generations: when the young one is half the budget, it
// becomes the old one and the old one goes; what is used stays young.
type cache struct {
	shards [16]shard
	// arrived reports whether what was missing is there now.
	arrived func(missingVector) bool
}

type shard struct {
	mu                sync.Mutex
	current, previous map[uint64]encodedTask
	bytes             int
	budget            int // of one generation
}

func newCache(bytes int) *cache {
	c := new(cache)
	for i := range c.shards {
		c.shards[i] = shard{current: map[uint64]encodedTask{}, budget: bytes / len(c.shards) / 2}
	}
	return c
}

// get returns the encoding under the key, made by encode if it is not there.
func (c *cache) get(key uint64, encode func() encodedTask) encodedTask {
	s := &c.shards[key>>60]
	s.mu.Lock()
	v, ok := s.current[key]
	if !ok {
		if v, ok = s.previous[key]; ok {
			s.put(key, v)
		}
	}
	s.mu.Unlock()
	if ok && (len(v.missing) == 0 || !slices.ContainsFunc(v.missing, c.arrived)) {
		return v
	}
	v = encode()
	c.put(key, v)
	return v
}

// put has get return v.
func (c *cache) put(key uint64, v encodedTask) {
	s := &c.shards[key>>60]
	s.mu.Lock()
	s.put(key, v)
	s.mu.Unlock()
}

const (
	// mapBytes is about what an entry costs beside its vector.
	mapBytes = 120
	// missingBytes is the size of a missingVector.
	missingBytes = 20
)

func (e encodedTask) bytes() int { return e.vector.Bytes() + missingBytes*len(e.missing) + mapBytes }

func (s *shard) put(key uint64, v encodedTask) {
	if old, ok := s.current[key]; ok {
		s.bytes -= old.bytes()
	}
	s.current[key] = v
	s.bytes += v.bytes()
	if s.bytes > s.budget {
		s.previous, s.current, s.bytes = s.current, map[uint64]encodedTask{}, 0
	}
}
