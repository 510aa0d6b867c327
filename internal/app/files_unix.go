//go:build linux || darwin

package app

import "syscall"

// openFiles returns how many files, connections included, this process may have open, 0 when the
// system does not tell.
func openFiles() uint64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return r.Cur
}
