package regions

import (
	"encoding/json"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// codec is how the results of a type of control say which labels were chosen.
type codec struct {
	// key is the field of a region's value.
	key string
	// read makes path ids of what is under the key; ok is false when it is no answer.
	read func(raw json.RawMessage) (paths []string, ok bool)
	// none reports whether what is under the key says that nothing is chosen.
	none func(raw json.RawMessage) bool
	// write makes what is under the key.
	write func(c labelconfig.Control, chosen []labelconfig.Label) any
}

var codecs = map[string]codec{
	labelconfig.TypeChoices:  {"choices", choicePaths, never, writePaths},
	labelconfig.TypeTaxonomy: {"taxonomy", choicePaths, never, writePaths},
	labelconfig.TypeRating:   {"rating", readRating, noStars, writeRating},
	labelconfig.TypePairwise: {"selected", readSide, noSide, writeSide},
}

func codecOf(c labelconfig.Control) codec {
	if s, ok := codecs[c.Type]; ok {
		return s
	}
	return codecs[labelconfig.TypeChoices]
}

func never(json.RawMessage) bool { return false }

func writePaths(c labelconfig.Control, chosen []labelconfig.Label) any {
	out := []any{}
	for _, l := range chosen {
		if c.Nested {
			out = append(out, l.Path)
		} else {
			out = append(out, l.Path[0])
		}
	}
	return out
}
