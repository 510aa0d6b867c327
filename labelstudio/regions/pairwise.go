package regions

import (
	"encoding/json"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// readSide takes "left" and "right"; "none" is how a choice is taken back.
func readSide(raw json.RawMessage) ([]string, bool) {
	var s jsonscan.LooseString
	if json.Unmarshal(raw, &s) != nil || s == "" || s == "none" {
		return nil, false
	}
	return []string{string(s)}, true
}

func noSide(raw json.RawMessage) bool {
	var s jsonscan.LooseString
	return jsonscan.KindOf(raw) == jsonscan.String && json.Unmarshal(raw, &s) == nil && (s == "" || s == "none")
}

func writeSide(_ labelconfig.Control, chosen []labelconfig.Label) any {
	if len(chosen) == 0 {
		return "none"
	}
	return chosen[0].Path[0]
}
