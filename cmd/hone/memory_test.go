package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLargeHeapsGrowLess(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 10 << 20: 100, 64 << 20: 100, 128 << 20: 50, 256 << 20: 25, 4 << 30: 25} {
		assert.Equal(t, want, growth(live), live)
	}
}
