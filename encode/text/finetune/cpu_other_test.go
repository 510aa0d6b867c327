//go:build !unix

package finetune

// cpuSeconds is not known here.
func cpuSeconds() float64 { return 0 }
