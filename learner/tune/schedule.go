package tune

import "github.com/hone-ml/hone/learner/model"

// sampleSizes are the numbers of first labels from which settings are chosen while labels
// come in. The first labels are those with the lowest annotation ids, in whatever order
// they arrived, so the settings are a function of the labels. Beyond the last size the
// settings stay. A full retrain makes the same choice from scratch.
var sampleSizes = []int{16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024}

// SampleSize returns the largest sample size that n examples reach, 0 below the first.
func SampleSize(n int) int {
	reached := 0
	for _, size := range sampleSizes {
		if n >= size {
			reached = size
		}
	}
	return reached
}

// Selection is the settings of a head, and what they were chosen from.
type Selection struct {
	Settings model.Settings `json:"settings"`
	// Size is the number of first examples from which they were chosen. Fingerprint hashes
	// those examples.
	Size        int    `json:"rung"`
	Fingerprint uint64 `json:"sum,omitempty"`
	// Adapter is the name of the adapter of the encoder that the settings are for, "" without
	// one.
	Adapter string `json:"adapter,omitempty"`
	// Pinned is true for settings that a rollback keeps: no label changes them. It is
	// stored with the project.
	Pinned bool `json:"-"`
}
