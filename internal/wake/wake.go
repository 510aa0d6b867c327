// Package wake is how one goroutine tells another that there is something to do.
package wake

// Signal wakes whoever receives from it. Any number of Set before it is received are
// one, and one that nobody waits for is kept. It is safe for concurrent use.
type Signal chan struct{}

// New makes a signal that is not set.
func New() Signal { return make(Signal, 1) }

// Set sets the signal. It never blocks.
func (s Signal) Set() {
	select {
	case s <- struct{}{}:
	default:
	}
}
