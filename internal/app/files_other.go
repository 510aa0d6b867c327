//go:build !linux && !darwin

package app

func openFiles() uint64 { return 0 }
