package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLargeHeapsGrowLess(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 10 << 20: 100, 32 << 20: 100, 128 << 20: 25, 256 << 20: 12, 4 << 30: 12} {
		assert.Equal(t, want, growthPercent(live), live)
	}
}
