package features

import (
	"slices"
	"sync"

	"github.com/hone-ml/hone/vector"
)

// encodedTask is the vector of a task's data, and the slow encoders' vectors that it lacks.
type encodedTask struct {
	vector  vector.Vector
	missing []missingVector
}

// encoders returns the slow encoders of the missing vectors.
func (e encodedTask) encoders() (s EncoderSet) {
	for _, m := range e.missing {
		s = s.With(int(m.encoder))
	}
	return s
}

// cache keeps encoded tasks by a hash of what was encoded, within a budget of bytes. It has two
// generations. When the current one has half the budget it becomes the previous one, and the
// one before is dropped. An entry that is used moves to the current generation. It is safe for
// concurrent use.
type cache struct {
	shards [16]shard
	// arrived reports whether a vector that was missing has been computed.
	arrived func(missingVector) bool
}

type shard struct {
	mu                sync.Mutex
	current, previous map[uint64]encodedTask
	bytes             int
	budget            int // in bytes, of one generation
}

func newCache(bytes int) *cache {
	c := new(cache)
	for i := range c.shards {
		c.shards[i] = shard{current: map[uint64]encodedTask{}, budget: bytes / len(c.shards) / 2}
	}
	return c
}

// get returns the entry of a key. It calls encode when there is none, or when a vector that it
// lacks has arrived.
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

// put sets the entry of a key.
func (c *cache) put(key uint64, v encodedTask) {
	s := &c.shards[key>>60]
	s.mu.Lock()
	s.put(key, v)
	s.mu.Unlock()
}

const (
	// mapBytes is roughly the size of an entry without its vector.
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
