//go:build !race

package learner

// RaceDetector is for the tests outside of the package too.
const RaceDetector = false
