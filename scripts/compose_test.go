package scripts_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/labelstudio"
)

// What compose.yaml tells people to connect with must be a host that Label
// Studio takes for a webhook, and one that the network knows: with another the
// backend is added and no annotation ever arrives.
func TestComposeConnectsByANameThatWorks(t *testing.T) {
	text, err := os.ReadFile("../compose.yaml")
	require.NoError(t, err)
	said := regexp.MustCompile(`(?m)^#.* --url (http://([^:/\s]+):\d+)$`).FindSubmatch(text)
	require.NotNil(t, said, "the comment at the top says how to connect")
	require.NoError(t, labelstudio.CheckHookHost(string(said[1])))

	parsed, err := yaml.Parser().Unmarshal(text)
	require.NoError(t, err)
	at := func(m any, path ...string) any {
		for _, key := range path {
			inner, ok := m.(map[string]any)
			require.True(t, ok, "%v holds no %s", m, key)
			m = inner[key]
		}
		return m
	}
	require.Contains(t, at(parsed, "services", "hone", "networks", "default", "aliases"), string(said[2]))
	// Both are in that network, which Label Studio is in unless told otherwise.
	require.NotContains(t, at(parsed, "services", "label-studio"), "networks")
	require.Nil(t, at(parsed, "networks"))
}
