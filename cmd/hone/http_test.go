package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestConnLimitLeavesFiles: whatever the system allows, connections never take all
// the files that hone may open.
func TestConnLimitLeavesFiles(t *testing.T) {
	for _, tc := range []struct {
		files     uint64
		addresses int
		want      int
	}{
		{0, 1, maxConns},
		{1 << 63, 1, maxConns},
		{1 << 20, 2, maxConns},
		{4096, 1, maxConns},
		{1024, 1, 384},
		{1024, 2, 192},
		{256, 1, 96},
		{10, 1, minConns},
	} {
		got := connLimit(tc.files, tc.addresses)
		assert.Equal(t, tc.want, got, "%d files, %d addresses", tc.files, tc.addresses)
		if tc.files >= 128 {
			assert.LessOrEqual(t, uint64(2*got*tc.addresses), tc.files*3/4, "%d files", tc.files)
		}
	}
}
