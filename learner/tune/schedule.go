package tune

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

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

// Fingerprint hashes what settings are chosen from: the examples of some tasks, of which sums has a hash each,
// and the prior. encoder says which features they have.
func Fingerprint(q *head.Spec, encoder string, tasks []event.TaskID, sums map[event.TaskID]uint64) uint64 {
	d := xxhash.New()
	_, _ = d.WriteString(q.Key + "\x00" + encoder)
	for _, g := range q.Prior {
		_, _ = d.Write([]byte{byte(min(1, len(g.Weights)))})
	}
	if q.HasLines() { // other lines, or their vectors, make another prior of the same parts
		var b [4]byte
		for _, g := range q.Prior {
			for _, w := range g.Weights {
				binary.LittleEndian.PutUint32(b[:], math.Float32bits(w))
				_, _ = d.Write(b[:])
			}
		}
	}
	HashTasks(d, tasks, sums)
	return d.Sum64()
}

// HashTasks adds to a hash some tasks, in order, each with its sum.
func HashTasks(d *xxhash.Digest, tasks []event.TaskID, sums map[event.TaskID]uint64) {
	for _, id := range tasks {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[:8], uint64(id)) //nolint:gosec // any bits do
		binary.LittleEndian.PutUint64(b[8:], sums[id])
		_, _ = d.Write(b[:])
	}
}
