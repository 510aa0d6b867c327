package labelstudio

import (
	"encoding/json"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// spelling is how the results of a type of control say which labels were chosen.
type spelling struct {
	// key is the field of a region's value.
	key string
	// read makes path ids of what is under the key; ok is false when it is no answer.
	read func(raw json.RawMessage) (paths []string, ok bool)
	// write makes what is under the key.
	write func(c Control, chosen []Label) any
}

var spellings = map[string]spelling{
	labelconfig.TypeChoices:  {"choices", choicePaths, writePaths},
	labelconfig.TypeTaxonomy: {"taxonomy", choicePaths, writePaths},
	labelconfig.TypeRating:   {"rating", readRating, writeRating},
	labelconfig.TypePairwise: {"selected", readSide, writeSide},
}

func (c *Control) spelling() spelling {
	if s, ok := spellings[c.Type]; ok {
		return s
	}
	return spellings[labelconfig.TypeChoices]
}

func writePaths(c Control, chosen []Label) any {
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

// readSide takes "left" and "right"; "none" is how a choice is taken back.
func readSide(raw json.RawMessage) ([]string, bool) {
	var s jsonscan.LooseString
	if json.Unmarshal(raw, &s) != nil || s == "" || s == "none" {
		return nil, false
	}
	return []string{string(s)}, true
}

func writeSide(_ Control, chosen []Label) any {
	if len(chosen) == 0 {
		return "none"
	}
	return chosen[0].Path[0]
}
