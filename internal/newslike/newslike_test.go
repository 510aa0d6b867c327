package newslike_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/internal/newslike"
)

func TestTextsAreThoseOfShortNews(t *testing.T) {
	texts := newslike.Make(2000, 4, 1)
	assert.Equal(t, texts[:50], newslike.Make(50, 4, 1), "the same every time")
	assert.NotEqual(t, texts[:50], newslike.Make(50, 4, 2))
	words, bytes, topics, distinct := 0, 0, map[string]int{}, map[string]bool{}
	for _, x := range texts {
		for _, w := range strings.Fields(x.Text) {
			words++
			distinct[strings.ToLower(strings.Trim(w, ".,'s"))] = true
		}
		bytes += len(x.Text)
		topics[x.Label]++
	}
	assert.InDelta(t, 40, float64(words)/2000, 1, "words a text")
	assert.InDelta(t, 236, float64(bytes)/2000, 30, "AG News has 236 bytes a text")
	assert.Greater(t, len(distinct), 8000)
	assert.Len(t, topics, 4)
	for name, n := range topics {
		assert.InDelta(t, 500, n, 80, name)
	}
}
