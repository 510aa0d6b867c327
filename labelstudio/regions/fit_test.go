package regions

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func TestFits(t *testing.T) {
	cfg, err := labelconfig.Parse(`<View><Text name="t" value="$text"/><Text name="u" value="$other"/>
		<Choices name="one" toName="t"><Choice value="a"/><Choice value="b"/></Choices>
		<Labels name="who" toName="t"><Label value="Person"/></Labels>
		<Rating name="stars" toName="t" maxRating="3"/><Number name="n" toName="t" min="0" max="9"/>
		<Taxonomy name="tree" toName="t"><Choice value="x"><Choice value="y"/></Choice></Taxonomy></View>`)
	require.NoError(t, err)
	for result, fits := range map[string]bool{
		`[]`:   true,
		`null`: true,
		`{}`:   false,
		`"x"`:  false,
		`[{}]`: false,
		`[{"from_name":"one","to_name":"t","type":"choices","value":{"choices":["a"]}}]`:     true,
		`[{"from_name":"one","to_name":"t","type":"choices","value":{"choices":[]}}]`:        true,
		`[{"from_name":"one","to_name":"t","type":"choices","value":{"choices":["c"]}}]`:     false,
		`[{"from_name":"one","to_name":"t","type":"choices","value":{"choices":["a","c"]}}]`: false,
		`[{"from_name":"one","to_name":"u","type":"choices","value":{"choices":["a"]}}]`:     false,
		`[{"from_name":"two","to_name":"t","type":"choices","value":{"choices":["a"]}}]`:     false,
		`[{"from_name":"one","to_name":"t","type":"rating","value":{"rating":1}}]`:           false,
		`[{"from_name":"who","to_name":"t","type":"labels","value":{"start":0,"end":2,"labels":["Person"]}},
		  {"from_name":"who","to_name":"t","type":"labels","value":{"start":3,"end":4,"labels":["Place"]}}]`: false,
		`[{"from_name":"who","to_name":"t","type":"labels","value":{"start":0,"end":2,"labels":["Person"]}}]`: true,
		`[{"from_name":"stars","to_name":"t","type":"rating","value":{"rating":3}}]`:                          true,
		`[{"from_name":"stars","to_name":"t","type":"rating","value":{"rating":4}}]`:                          false,
		`[{"from_name":"n","to_name":"t","type":"number","value":{"number":9}}]`:                              true,
		`[{"from_name":"n","to_name":"t","type":"number","value":{"number":10}}]`:                             false,
		`[{"from_name":"tree","to_name":"t","type":"taxonomy","value":{"taxonomy":[["x","y"]]}}]`:             true,
		`[{"from_name":"tree","to_name":"t","type":"taxonomy","value":{"taxonomy":[["x","z"]]}}]`:             false,
	} {
		assert.Equal(t, fits, Fits(cfg.Controls, json.RawMessage(strings.TrimSpace(result))), result)
	}
}
