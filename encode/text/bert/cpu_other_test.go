//go:build !unix

package bert

// cpuSeconds is 0: not known here.
func cpuSeconds() float64 { return 0 }
