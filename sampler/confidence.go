package sampler

import "github.com/hone-ml/hone/event"

// confidenceTasks is about how many tasks of a pool its confidence is taken from.
const confidenceTasks = 2000

// confidenceSample sums up how confident the heads are over some tasks of a pool, which are
// drawn by their hash.
type confidenceSample struct {
	every uint64
	sums  map[string]*confidenceSum
}

type confidenceSum struct{ n, sum, squares float64 }

func newConfidenceSample(pool int) confidenceSample {
	return confidenceSample{every: uint64(pool/confidenceTasks + 1), sums: map[string]*confidenceSum{}}
}

func (c confidenceSample) add(hash uint64, estimates []event.Estimate) {
	if !c.has(hash) {
		return
	}
	for _, e := range estimates {
		v := e.Confidence()
		if v < 0 {
			continue
		}
		s := c.sums[e.Control]
		if s == nil {
			s = new(confidenceSum)
			c.sums[e.Control] = s
		}
		s.n, s.sum, s.squares = s.n+1, s.sum+v, s.squares+v*v
	}
}

// clear forgets what was added.
func (c confidenceSample) clear() { clear(c.sums) }

// has reports whether a task is in the sample.
func (c confidenceSample) has(hash uint64) bool { return hash%c.every == 0 }

func (c confidenceSample) byControl() map[string]event.Confidence {
	out := make(map[string]event.Confidence, len(c.sums))
	for control, s := range c.sums {
		mean := s.sum / s.n
		out[control] = event.Confidence{Tasks: int(s.n), Mean: mean, Variance: max(0, s.squares/s.n-mean*mean)}
	}
	return out
}
