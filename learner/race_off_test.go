//go:build !race

package learner_test

const raceDetector = false
