package regions

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// Fits reports whether a result says only what annotators can say with the controls:
// each region is of one of them, of its type, to one of its objects, and its labels are
// among the control's. A result without regions fits; one that is no list does not.
func Fits(controls []labelconfig.Control, result json.RawMessage) bool {
	list, err := Decode(result)
	if err != nil {
		return false
	}
	for _, r := range list {
		at := slices.IndexFunc(controls, func(c labelconfig.Control) bool { return c.Name == r.FromName })
		if at < 0 || !fitsControl(controls[at], r) {
			return false
		}
	}
	return true
}

func fitsControl(c labelconfig.Control, r Region) bool {
	if r.Type != strings.ToLower(c.Type) || !slices.Contains(c.ToName, r.ToName) {
		return false
	}
	if _, has := codecs[c.Type]; has {
		a := Choices(c, []Region{r})
		return a.Fault == "" && len(a.Unknown) == 0
	}
	if slices.Contains(spanKeys, r.Type) {
		raw, _ := field(r.Value, r.Type)
		ids, _ := choicePaths(raw)
		return !slices.ContainsFunc(ids, func(id string) bool { return labelAt(c, id) < 0 })
	}
	_, _, err := readNumber(c, []Region{r})
	return err == nil
}
