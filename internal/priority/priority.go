// Package priority runs work that may take long where it is in nobody's way.
package priority

import "runtime"

// Lowest runs f on a thread of its own that gets a core only when nothing else wants it, and returns when
// f has returned. Where an operating system has no priorities of threads, it only runs f. f must
// not leave work to other goroutines, which are not of that thread.
func Lowest(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocks it, so that the thread ends here
		lower()
		f()
	}()
	<-done
}
