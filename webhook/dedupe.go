package webhook

import (
	"hash/maphash"
	"sync"
	"time"
)

// dedupe remembers the hashes of bodies that were stored lately. A project that has two
// webhooks to hone sends every event twice with equal bodies, as Label Studio builds the
// payload once. The second is answered without being decoded or stored.
//
// Only a body that is durable is remembered, so that a failed one can be sent again, and
// only for a short while, so that an equal event much later is not taken for a duplicate. A
// duplicate that is not recognised has no effect: events are statements.
type dedupe struct {
	seed   maphash.Seed
	window time.Duration
	mu     sync.Mutex
	at     map[uint64]duplicate
	ring   []uint64 // keys by age
	next   int
}

type duplicate struct {
	slot   int
	action string
	at     time.Time
}

func newDedupe(keys int, window time.Duration) *dedupe {
	return &dedupe{
		seed:   maphash.MakeSeed(), // secret: nobody can make two bodies collide
		window: window,
		at:     make(map[uint64]duplicate, keys),
		ring:   make([]uint64, keys),
	}
}

func (s *dedupe) key(body []byte) uint64 { return maphash.Bytes(s.seed, body) }

// find reports whether a body was stored within the window, and its action.
func (s *dedupe) find(key uint64, now time.Time) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.at[key]
	return e.action, ok && now.Sub(e.at) < s.window
}

func (s *dedupe) record(key uint64, action string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.ring[s.next]
	if e, ok := s.at[old]; ok && e.slot == s.next {
		delete(s.at, old)
	}
	s.ring[s.next] = key
	s.at[key] = duplicate{slot: s.next, action: action, at: now}
	s.next = (s.next + 1) % len(s.ring)
}
