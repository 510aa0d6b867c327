package labelstudio

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// Region is one item of a result: what one control says of a task or of a part
// of it.
type Region struct {
	ID       string `json:"id,omitempty"`
	FromName string `json:"from_name"`
	ToName   string `json:"to_name"`
	Type     string `json:"type"`
	// Value has the labels under the type's key, and where in the object they hold.
	Value json.RawMessage `json:"value,omitempty"`
	// Origin is manual, prediction or prediction-changed; empty from the API.
	Origin string `json:"origin,omitempty"`
	// Score of this region, 0 to 1; nil when it has none.
	Score *float64 `json:"score,omitempty"`
	// Hint is true for what an annotator drew only to ask a model for more: it is
	// sent with "is_positive" and is no answer.
	Hint bool `json:"-"`
}

// DecodeRegions reads a result: a list of regions, or null for none. Fields of a
// region that hone does not read may hold anything.
func DecodeRegions(result json.RawMessage) ([]Region, error) {
	switch jsonscan.KindOf(result) {
	case jsonscan.Null, jsonscan.None:
		if len(result) == 0 || jsonscan.KindOf(result) == jsonscan.Null {
			return nil, nil
		}
	case jsonscan.Array:
		// Label Studio stores what it is sent. One broken region must not hide the
		// good ones beside it, so each is read loosely.
		var items []looseRegion
		if err := json.Unmarshal(result, &items); err != nil {
			return nil, fmt.Errorf("the result is not a list of regions: %w", err)
		}
		out := make([]Region, 0, len(items))
		for _, it := range items {
			out = append(out, Region(it))
		}
		return out, nil
	}
	return nil, errors.New("the result is not a list of regions")
}

// looseRegion reads a region whose fields may have any type.
type looseRegion Region

func (r *looseRegion) UnmarshalJSON(b []byte) error {
	if jsonscan.KindOf(b) != jsonscan.Object {
		return nil
	}
	var raw struct {
		ID       jsonscan.LooseString `json:"id"`
		FromName jsonscan.LooseString `json:"from_name"`
		ToName   jsonscan.LooseString `json:"to_name"`
		Type     jsonscan.LooseString `json:"type"`
		Value    json.RawMessage      `json:"value"`
		Origin   jsonscan.LooseString `json:"origin"`
		Score    json.RawMessage      `json:"score"`
		Positive json.RawMessage      `json:"is_positive"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*r = looseRegion{
		ID: string(raw.ID), FromName: string(raw.FromName), ToName: string(raw.ToName), Type: string(raw.Type),
		Value: raw.Value, Origin: string(raw.Origin),
		Hint: raw.Positive != nil,
	}
	if jsonscan.KindOf(raw.Score) == jsonscan.Number {
		var f float64
		if json.Unmarshal(raw.Score, &f) == nil {
			r.Score = &f
		}
	}
	return nil
}

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
}

// DecodeChoices reads what a result says about a control with labels; see Answer
// for the labels and ok. The error is only about a result that is no list of regions.
func (c Control) DecodeChoices(result json.RawMessage) (labels []string, ok bool, err error) {
	regions, err := DecodeRegions(result)
	if err != nil || regions == nil {
		return nil, false, err
	}
	a := c.Choices(regions)
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
func (c Control) Choices(regions []Region) Answer {
	var picked []string
	found := false
	for _, r := range regions {
		if r.FromName != c.Name || r.Hint {
			continue
		}
		var v map[string]json.RawMessage
		if jsonscan.KindOf(r.Value) != jsonscan.Object || json.Unmarshal(r.Value, &v) != nil {
			continue
		}
		if paths, ok := c.spelling().read(v[c.spelling().key]); ok {
			found, picked = true, paths
		}
	}
	if !found {
		return Answer{OK: c.MayBeEmpty()}
	}
	chosen := make([]bool, len(c.Labels))
	var a Answer
	n := 0
	for _, id := range picked {
		switch i := c.labelAt(id); {
		case i < 0 && c.Nested && c.hasDescendant(id):
			// A parent whose children are all ticked; the children say it.
		case i < 0:
			a.Unknown = append(a.Unknown, displayPath(id))
		case !chosen[i]:
			chosen[i] = true
			n++
		}
	}
	if n > 1 && !c.Multiple || n == 0 && (!c.Multiple || len(a.Unknown) > 0 || c.Type != labelconfig.TypeChoices) {
		return Answer{Unknown: a.Unknown}
	}
	a.OK = true
	for i, l := range c.Labels {
		if chosen[i] {
			a.Labels = append(a.Labels, l.Name)
		}
	}
	return a
}

// EncodeChoices is the region that makes Label Studio show these labels as
// chosen. Names the control does not have are left out. The score is 0 to 1.
func (c Control) EncodeChoices(id string, labels []string, score float64) Region {
	r := c.region(id, score)
	var chosen []Label
	for _, l := range c.Labels {
		if slices.Contains(labels, l.Name) {
			chosen = append(chosen, l)
		}
	}
	// Strings and lists of strings always marshal.
	r.Value, _ = json.Marshal(map[string]any{c.spelling().key: c.spelling().write(c, chosen)})
	return r
}

// region is one of the control, without a value.
func (c Control) region(id string, score float64) Region {
	r := Region{ID: id, FromName: c.Name, Type: strings.ToLower(c.Type)}
	if len(c.ToName) > 0 {
		r.ToName = c.ToName[0]
	}
	if s, ok := finite(score); ok {
		r.Score = &s
	}
	return r
}

// finite clamps a score to what Label Studio accepts, 0 to 1.
func finite(score float64) (float64, bool) {
	if score != score {
		return 0, false
	}
	return min(max(score, 0), 1), true
}
