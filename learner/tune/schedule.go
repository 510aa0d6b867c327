package tune

import "github.com/hone-ml/hone/learner/model"

// sampleSizes are the numbers of first labels that settings are chosen from while labels
// come in. So the settings are a function of the labels: whatever the order in
// which hone heard of them, the first are those with the lowest annotation ids.
// Beyond the last one they stay. A full retrain makes the same choice from scratch.
var sampleSizes = []int{16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024}

// SampleSize is the highest of them that n examples reach, 0 below the first.
func SampleSize(n int) int {
	at := 0
	for _, r := range sampleSizes {
		if n >= r {
			at = r
		}
	}
	return at
}

// Selection is where the settings of a head come from.
type Selection struct {
	Settings model.Settings `json:"settings"`
	// Size is the number of first examples they were chosen from, and Fingerprint a hash
	// of those examples.
	Size        int    `json:"rung"`
	Fingerprint uint64 `json:"sum,omitempty"`
	// Pinned is true for settings that a rollback holds: no label changes them. It is
	// stored with the project.
	Pinned bool `json:"-"`
}
