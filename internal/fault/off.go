//go:build !faults

package fault

// On reports whether a fault is on: never.
func On(Name) bool { return false }
