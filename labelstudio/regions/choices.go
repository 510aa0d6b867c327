package regions

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// Answer is what an annotation says about one control.
type Answer struct {
	// Labels are names of the control's labels (Label.Name), in the control's
	// order, without doubles.
	Labels []string
	// OK is false when the annotation says nothing about the control. With OK and
	// no labels, a control with multiple choice was answered "none of them".
	OK bool
	// Unknown are choices that the control does not have, as the result spells
	// them: left over from an older config, or written through the API.
	Unknown []string
	// Fault is why an answer that was given cannot be taken, a phrase; "" when it can,
	// or when none was given.
	Fault string
}

// DecodeChoices reads what a result says about a control with labels; see Answer
// for the labels and ok. The error is about a result that is no list of regions, or
// about an answer that cannot be taken.
func DecodeChoices(c labelconfig.Control, result json.RawMessage) (labels []string, ok bool, err error) {
	regions, err := Decode(result)
	if err != nil || regions == nil {
		return nil, false, err
	}
	a := Choices(c, regions)
	if a.Fault != "" {
		return nil, false, errors.New(a.Fault)
	}
	return a.Labels, a.OK, nil
}

// Choices reads what the regions of a finished annotation say about a control with
// labels: which of them were chosen.
//
// Of several regions the last one counts, since Label Studio's interface shows
// that one. A single choice with no known label, or with several, says nothing:
// which one was meant cannot be known. A multiple choice whose boxes were all
// left empty sends no region at all, so for one that was shown and may be left
// empty (neither Conditional nor Required) the absence of a region is the answer
// "none". Unknown labels alone are no answer either, nor is an empty Taxonomy.
func Choices(c labelconfig.Control, regions []Region) Answer {
	var picked []string
	found, fault := false, ""
	for _, r := range regions {
		if r.FromName != c.Name || r.Hint {
			continue
		}
		raw, said := field(r.Value, codecOf(c).key)
		if paths, ok := codecOf(c).read(raw); ok {
			found, picked = true, paths
		} else if said && !codecOf(c).none(raw) {
			fault = fmt.Sprintf("%s is no answer to a %s", abridged(raw), c.Type)
		}
	}
	if !found {
		return Answer{OK: fault == "" && c.MayBeEmpty(), Fault: fault}
	}
	chosen := make([]bool, len(c.Labels))
	var a Answer
	n := 0
	for _, id := range picked {
		switch i := labelAt(c, id); {
		case i < 0 && c.Nested && hasDescendant(c, id):
			// A parent whose children are all ticked; the children say it.
		case i < 0:
			a.Unknown = append(a.Unknown, displayPath(id))
		case !chosen[i]:
			chosen[i] = true
			n++
		}
	}
	switch {
	case n > 1 && !c.Multiple:
		return Answer{Unknown: a.Unknown, Fault: fmt.Sprintf("%d labels are chosen where one may be", n)}
	case n == 0 && len(a.Unknown) > 0:
		return Answer{Unknown: a.Unknown, Fault: fmt.Sprintf("%q is not among its labels", abridged([]byte(a.Unknown[0])))}
	case n == 0 && (!c.Multiple || c.Type != labelconfig.TypeChoices):
		return Answer{}
	}
	a.OK = true
	for i, l := range c.Labels {
		if chosen[i] {
			a.Labels = append(a.Labels, l.Name)
		}
	}
	return a
}

// field is a field of a region's value; said is false when it has none, or null.
func field(value json.RawMessage, key string) (raw json.RawMessage, said bool) {
	switch jsonscan.KindOf(value) {
	case jsonscan.None, jsonscan.Null:
		return nil, false
	case jsonscan.Object:
		var v map[string]json.RawMessage
		if json.Unmarshal(value, &v) != nil {
			return value, true
		}
		raw = v[key]
		kind := jsonscan.KindOf(raw)
		return raw, kind != jsonscan.None && kind != jsonscan.Null
	}
	return value, true
}

// mostSaid is how many bytes of an answer a fault tells.
const mostSaid = 60

func abridged(b []byte) string {
	if len(b) <= mostSaid {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return strings.ToValidUTF8(string(b[:mostSaid]), "") + " …"
}

// EncodeChoices is the region that makes Label Studio show these labels as
// chosen. Names the control does not have are left out. The score is 0 to 1.
func EncodeChoices(c labelconfig.Control, id string, labels []string, score float64) Region {
	r := newRegion(c, id, score)
	var chosen []labelconfig.Label
	for _, l := range c.Labels {
		if slices.Contains(labels, l.Name) {
			chosen = append(chosen, l)
		}
	}
	// Strings and lists of strings always marshal.
	r.Value, _ = json.Marshal(map[string]any{codecOf(c).key: codecOf(c).write(c, chosen)})
	return r
}

// choicePaths reads the choices of a region into path ids. Each is a text, or
// with allowNested a list of texts; the whole may be a lone text, which Label
// Studio's interface also takes.
func choicePaths(raw json.RawMessage) ([]string, bool) {
	var items []json.RawMessage
	switch jsonscan.KindOf(raw) {
	case jsonscan.String:
		items = []json.RawMessage{raw}
	case jsonscan.Array:
		if json.Unmarshal(raw, &items) != nil {
			return nil, false
		}
	default:
		return nil, false
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		var path []jsonscan.LooseString
		if jsonscan.KindOf(item) == jsonscan.Array {
			if json.Unmarshal(item, &path) != nil {
				continue
			}
		} else {
			path = make([]jsonscan.LooseString, 1)
			if json.Unmarshal(item, &path[0]) != nil {
				continue
			}
		}
		parts := make([]string, len(path))
		for i, p := range path {
			parts[i] = string(p)
		}
		out = append(out, labelconfig.PathID(parts))
	}
	return out, true
}

// labelAt is the index of the label that a result means by the path id, or -1:
// the label with that path; else the only one that shows that value, for results
// written with values where the config has aliases; else, for a result written
// before or after allowNested was changed, the only one whose path ends so.
func labelAt(c labelconfig.Control, id string) int {
	byValue, byLeaf := -1, -1
	values, leaves := 0, 0
	leaf := id[strings.LastIndexByte(id, 0)+1:]
	for i, l := range c.Labels {
		if labelconfig.PathID(l.Path) == id {
			return i
		}
		if l.Value == id {
			byValue = i
			values++
		}
		if last := l.Path[len(l.Path)-1]; last == leaf && (len(l.Path) == 1 || leaf == id) {
			byLeaf = i
			leaves++
		}
	}
	switch {
	case values == 1:
		return byValue
	case values == 0 && leaves == 1:
		return byLeaf
	}
	return -1
}

// hasDescendant reports whether some label lies below the path.
func hasDescendant(c labelconfig.Control, id string) bool {
	return slices.ContainsFunc(c.Labels, func(l labelconfig.Label) bool {
		return strings.HasPrefix(labelconfig.PathID(l.Path), id+"\x00")
	})
}

func displayPath(id string) string { return strings.ReplaceAll(id, "\x00", " / ") }
