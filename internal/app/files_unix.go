//go:build linux || darwin

package app

import "syscall"

// openFiles is how many files this process may hold open, connections included; 0
// when the system does not say.
func openFiles() uint64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return r.Cur
}
