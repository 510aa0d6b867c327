//go:build faults

package fault

import "sync/atomic"

var active atomic.Value

// Set turns one fault on and the others off.
func Set(n Name) { active.Store(n) }

// On reports whether a fault is on.
func On(n Name) bool {
	a, _ := active.Load().(Name)
	return n != None && a == n
}
