package push

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSuggestionIgnoresHowSureItIs(t *testing.T) {
	one := suggestionOf([]byte(`[{"id":"a","value":{"choices":["x"]},"score":0.2}]`))
	assert.Equal(t, one, suggestionOf([]byte(`[{"score":0.3,"value":{"choices":["x"]},"id":"b"}]`)))
	assert.NotEqual(t, one, suggestionOf([]byte(`[{"id":"a","value":{"choices":["y"]},"score":0.2}]`)))
	assert.Equal(t, suggestionOf(nil), suggestionOf([]byte(` [] `)))
	assert.Equal(t, suggestionOf(nil), suggestionOf([]byte(`null`)))
	assert.NotEmpty(t, suggestionOf([]byte(`{`)))
}
