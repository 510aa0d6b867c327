// Package regions turns the results of Label Studio into what people answered, and
// answers into results: a file for each kind of control. It panics on nothing.
package regions

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
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
	// Score is the confidence in this region, 0 to 1; nil when it has none. Whatever reads
	// answers ignores it: an accepted suggestion comes back with it.
	Score *float64 `json:"score,omitempty"`
	// Hint is true for what an annotator drew only to ask a model for more: it is
	// sent with "is_positive" and is no answer.
	Hint bool `json:"-"`
}

// Decode reads a result: a list of regions, or null for none. Fields of a
// region that hone does not read may hold anything.
func Decode(result json.RawMessage) ([]Region, error) {
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

// newRegion is one of the control, without a value.
func newRegion(c labelconfig.Control, id string, score float64) Region {
	r := Region{ID: id, FromName: c.Name, Type: strings.ToLower(c.Type)}
	if len(c.ToName) > 0 {
		r.ToName = c.ToName[0]
	}
	r.Score = confidence(score)
	return r
}

// confidence is a region's score, nil when it is not a number. Digits beyond those that
// RoundConfidence keeps would be stored and shown with each region.
func confidence(score float64) *float64 {
	s, ok := ClampScore(score)
	if !ok {
		return nil
	}
	s = RoundConfidence(s)
	return &s
}

// RoundConfidence rounds to four digits after the point.
func RoundConfidence(c float64) float64 { return math.Round(c*1e4) / 1e4 }

// ClampScore clamps a score to what Label Studio accepts, 0 to 1.
func ClampScore(score float64) (float64, bool) {
	if score != score {
		return 0, false
	}
	return min(max(score, 0), 1), true
}
