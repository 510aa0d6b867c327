package pipeline

import "time"

// LimitLanes bounds what waits in memory, of a lane and of all.
func (p *Pipeline) LimitLanes(lane, all int) {
	for _, s := range p.laneGroups {
		s.maxLaneBytes, s.maxBytes = lane, all
	}
}

// HurryLanes has the base catch up at once.
func (p *Pipeline) HurryLanes() {
	for _, s := range p.laneGroups {
		s.baseEvery = time.Millisecond
	}
}

// Stopping reports whether handlers may begin no more.
func (p *Pipeline) Stopping() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopping
}
