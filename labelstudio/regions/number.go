package regions

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// DecodeNumber reads what a result says about a Number control: the number of its
// last region. ok is false when it says nothing. The error is about a result that is no
// list of regions, or about a number that cannot be taken.
func DecodeNumber(c labelconfig.Control, result json.RawMessage) (v float64, ok bool, err error) {
	regions, err := Decode(result)
	if err != nil {
		return 0, false, err
	}
	return readNumber(c, regions)
}

// Number is DecodeNumber of regions; what cannot be taken says nothing.
func Number(c labelconfig.Control, regions []Region) (v float64, ok bool) {
	v, ok, _ = readNumber(c, regions)
	return v, ok
}

func readNumber(c labelconfig.Control, regions []Region) (v float64, ok bool, err error) {
	fault := ""
	for _, r := range regions {
		if r.FromName != c.Name || r.Hint {
			continue
		}
		raw, said := field(r.Value, "number")
		if !said {
			continue
		}
		var text jsonscan.LooseString
		if json.Unmarshal(raw, &text) == nil && text == "" && jsonscan.KindOf(raw) == jsonscan.String {
			continue
		}
		if n := labelconfig.ParseNumber(string(text)); n != nil {
			v, ok, fault = *n, true, ""
		} else {
			fault = abridged(raw) + " is no number"
		}
	}
	switch {
	case ok && !c.Numbers.Has(v):
		return 0, false, fmt.Errorf("the control does not take the number %g", v)
	case !ok && fault != "":
		return 0, false, errors.New(fault)
	}
	return v, ok, nil
}

// EncodeNumber is the region that makes Label Studio show the number. It is made a
// number that the control takes. The score is 0 to 1.
func EncodeNumber(c labelconfig.Control, id string, v, score float64) Region {
	r := newRegion(c, id, score)
	// A finite number always marshals, and Nearest makes no other of one.
	r.Value, _ = json.Marshal(map[string]any{"number": c.Numbers.Nearest(v)})
	return r
}
