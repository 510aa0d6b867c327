package priority

import (
	"sync"
	"time"
)

const (
	// quiet is for how long there must have been no work in the foreground before work in the
	// background goes on.
	quiet = 20 * time.Millisecond
	// maxPause is how long work in the background pauses at most. Then it goes on for slice, whatever
	// is in the foreground, so that it has at least a fiftieth of the time.
	maxPause = time.Second
	slice    = 20 * time.Millisecond
)

// Foreground is work that somebody waits for. Work in the background pauses while there is some. The
// zero value is ready to use. It is safe for concurrent use.
type Foreground struct {
	mu          sync.Mutex // guards all below
	working     int        // pieces of work that have begun and not ended
	ended       time.Time  // when the last of them had
	backgrounds map[*background]struct{}
}

// Begin says that a piece of work in the foreground begins. When it returns all work in the background
// is paused, but for that which has its slice of time. Each Begin needs an End.
func (f *Foreground) Begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.working++
	for b := range f.backgrounds {
		if b.state == running {
			b.pauseFrom(time.Now())
		}
	}
}

// End says that a piece of work in the foreground has ended.
func (f *Foreground) End() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.working--
	f.ended = time.Now()
}

// AddBackground adds work in the background: pause has it pause, and unpause has it go on. They are
// called in turns, never at once, while others wait to begin work: they must return at once and not
// call f. remove ends that, and calls unpause if the work is paused. It may be called more than once, and
// must be called at the end of the work.
func (f *Foreground) AddBackground(pause, unpause func()) (remove func()) {
	b := &background{pause: pause, unpause: unpause}
	f.mu.Lock()
	defer f.mu.Unlock()
	b.timer = time.AfterFunc(maxPause, func() { f.check(b) })
	b.timer.Stop()
	if f.backgrounds == nil {
		f.backgrounds = map[*background]struct{}{}
	}
	f.backgrounds[b] = struct{}{}
	if f.busyFor(time.Now()) > 0 {
		b.pauseFrom(time.Now())
	}
	return func() { f.remove(b) }
}

func (f *Foreground) remove(b *background) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, there := f.backgrounds[b]; !there {
		return
	}
	delete(f.backgrounds, b)
	b.timer.Stop()
	if b.state == paused {
		b.unpause()
	}
}

// busyFor returns for how long from now on the foreground is busy at least, zero when it has been quiet.
func (f *Foreground) busyFor(now time.Time) time.Duration {
	if f.working > 0 {
		return quiet
	}
	return max(0, quiet-now.Sub(f.ended))
}

// check has a background go on, pause, or wait for another check.
func (f *Foreground) check(b *background) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, there := f.backgrounds[b]; !there {
		return
	}
	now := time.Now()
	busy, left := f.busyFor(now), maxPause-now.Sub(b.since)
	switch {
	case b.state == inSlice && busy > 0:
		b.pauseFrom(now)
	case b.state == inSlice:
		b.state = running
	case busy == 0:
		b.state = running
		b.unpause()
	case left <= 0:
		b.state = inSlice
		b.unpause()
		b.timer.Reset(slice)
	default:
		b.timer.Reset(min(busy, left))
	}
}

// background is work in the background. Its fields are guarded by Foreground.mu.
type background struct {
	pause, unpause func()
	state          backgroundState
	since          time.Time   // when it was paused
	timer          *time.Timer // of the next check, but for work that is running
}

type backgroundState int

const (
	running backgroundState = iota
	paused
	inSlice // it runs for a slice of time, whatever is in the foreground
)

func (b *background) pauseFrom(now time.Time) {
	b.state, b.since = paused, now
	b.pause()
	b.timer.Reset(quiet)
}
