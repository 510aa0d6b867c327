package regions

import (
	"encoding/json"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// DecodeNumber reads what a result says about a Number control: the number of its
// last region. ok is false when it says nothing, or a number that the control does
// not take now. The error is only about a result that is no list of regions.
func DecodeNumber(c labelconfig.Control, result json.RawMessage) (v float64, ok bool, err error) {
	regions, err := Decode(result)
	if err != nil {
		return 0, false, err
	}
	v, ok = Number(c, regions)
	return v, ok, nil
}

// Number is DecodeNumber of regions.
func Number(c labelconfig.Control, regions []Region) (v float64, ok bool) {
	for _, r := range regions {
		if r.FromName != c.Name {
			continue
		}
		var said struct {
			Number *jsonscan.LooseString `json:"number"`
		}
		if jsonscan.KindOf(r.Value) != jsonscan.Object || json.Unmarshal(r.Value, &said) != nil || said.Number == nil {
			continue
		}
		if n := labelconfig.ParseNumber(string(*said.Number)); n != nil {
			v, ok = *n, true
		}
	}
	if !c.Numbers.Has(v) {
		return 0, false
	}
	return v, ok
}

// EncodeNumber is the region that makes Label Studio show the number. It is made a
// number that the control takes. The score is 0 to 1.
func EncodeNumber(c labelconfig.Control, id string, v, score float64) Region {
	r := newRegion(c, id, score)
	// A finite number always marshals, and Nearest makes no other of one.
	r.Value, _ = json.Marshal(map[string]any{"number": c.Numbers.Nearest(v)})
	return r
}
