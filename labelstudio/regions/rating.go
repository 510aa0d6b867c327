package regions

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// readRating takes a number of stars. 0 is none: nobody answered.
func readRating(raw json.RawMessage) ([]string, bool) {
	var s jsonscan.LooseString
	if json.Unmarshal(raw, &s) != nil {
		return nil, false
	}
	v := labelconfig.ParseNumber(string(s))
	if v == nil || *v == 0 {
		return nil, false
	}
	if *v == math.Trunc(*v) {
		return []string{strconv.FormatFloat(*v, 'f', 0, 64)}, true
	}
	return []string{string(s)}, true
}

func noStars(raw json.RawMessage) bool {
	var s jsonscan.LooseString
	if k := jsonscan.KindOf(raw); k != jsonscan.String && k != jsonscan.Number || json.Unmarshal(raw, &s) != nil {
		return false
	}
	v := labelconfig.ParseNumber(string(s))
	return s == "" || v != nil && *v == 0
}

func writeRating(_ labelconfig.Control, chosen []labelconfig.Label) any {
	if len(chosen) == 0 {
		return 0
	}
	n, err := strconv.Atoi(chosen[0].Path[0])
	if err != nil {
		return 0
	}
	return n
}
