package head

import (
	"github.com/hone-ml/hone/labelstudio/regions"
)

// ControlAnswer is what is predicted of a control. Confidence is 0 to 1.
type ControlAnswer struct {
	Control    string
	Regions    []regions.Region
	Confidence float64
}

// Hidden names the controls that annotators would not see with the answers. given are
// regions that an annotator made, which stand where a control has both.
func Hidden(v *regions.Visibility, answers []ControlAnswer, given []regions.Region) map[string]bool {
	if v == nil {
		return nil
	}
	var all []regions.Region
	for _, a := range answers {
		all = append(all, a.Regions...)
	}
	return v.Hidden(append(all, given...))
}

// Combine returns the regions of the answers to controls that annotators would see with
// them, and the mean confidence. ok is false when there are no such answers.
func Combine(v *regions.Visibility, answers []ControlAnswer, given []regions.Region) (result []regions.Region, confidence float64, ok bool) {
	hidden := Hidden(v, answers, given)
	result = []regions.Region{}
	n := 0
	for _, a := range answers {
		if !hidden[a.Control] {
			result = append(result, a.Regions...)
			confidence += a.Confidence
			n++
		}
	}
	return result, confidence / float64(max(1, n)), n > 0
}
