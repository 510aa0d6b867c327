package labelstudio

import (
	"encoding/json"

	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/passage"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
)

// The names in this file and in control.go are those of other packages, for callers
// that do not import these yet.

// Secret is a token that formatting and encoding do not give away.
type Secret = secret.Secret

// Passage is an object's text as spans are marked in it. It is immutable.
type Passage = passage.Passage

// Object is an object tag of a label config.
type Object = labelconfig.Object

// Label is one of a control's labels.
type Label = labelconfig.Label

// Region is one item of a result.
type Region = regions.Region

// Span is a stretch of a passage that has labels.
type Span = regions.Span

// DecodeRegions is regions.Decode.
func DecodeRegions(result json.RawMessage) ([]Region, error) { return regions.Decode(result) }

// RenewIDs is regions.RenewIDs.
func RenewIDs(result json.RawMessage) (renewed json.RawMessage, current bool) {
	return regions.RenewIDs(result)
}

// Prediction is one answer to one task.
type Prediction = wire.Prediction

// PredictResponse answers POST /predict.
type PredictResponse = wire.PredictResponse
